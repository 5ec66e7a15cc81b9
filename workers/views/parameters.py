"""The parameters that requests lose, as text."""

from __future__ import annotations

from collections.abc import Mapping


def dropped_texts(dropped: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a line for each parameter that a model does not take, with the number of requests."""
    return [
        f"{parameter} is dropped for {model}: {number:,} request{'' if number == 1 else 's'}"
        for parameter, models in dropped.items()
        for model, number in sorted(models.items())
    ]
