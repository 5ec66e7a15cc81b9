"""The two estimates of a router's gain, in words: on prompts like the labels, and on kinds left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shift_notes(training: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each policy by the record of a training; none in routers without estimates."""
    shift = training.get("shift")
    if shift is None:
        return []
    return [_note(policy, shift, estimates) for policy, estimates in shift["guard"].items()]


def _note(policy: str, shift: Mapping[str, Any], estimates: Mapping[str, Any] | None) -> str:
    unguarded = _gain(shift["none"][policy]["left_out"])
    if estimates is None:
        return (
            f"{policy}: on kinds left out no model but the best single one is safe "
            f"(without the guard it would gain {unguarded} there)"
        )
    familiar, left_out = _gain(estimates["familiar"]), _gain(estimates["left_out"])
    return (
        f"{policy}: gain {familiar} on prompts like the labels, {left_out} on kinds left out of the training"
    )


def _gain(trial: Mapping[str, float]) -> str:
    return f"{trial['gain']:+.4f} ± {trial['standard_error']:.4f}"
