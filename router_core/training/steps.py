"""The steps of a training, numbered for those who wait."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count


def numbered(progress: Callable[[str], None], total: int) -> Callable[[str], None]:
    """Return a function that passes on the name of each step with its number and the number of all."""
    numbers = count(1)
    return lambda step: progress(f"step {next(numbers)} of {total}: {step}")
