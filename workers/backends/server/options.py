"""The options of a submission as the pairs of texts that a server reads (docs/api.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.errors import UsageError
from tasks.formats.determinism import dedupe_of
from tasks.formats.periods import seconds_of
from workers.arguments import NOT_CHOSEN
from workers.backends.interface import Submission

#: what a server has no option for
_NOT_THERE: Final = ("route_only", "validators")


def metadata_of(submission: Submission) -> dict[str, str]:
    """Return the pairs for a submission; what it leaves as it is has none.

    Raises:
        UsageError: An option that a server does not have.
    """
    for name in _NOT_THERE:
        if submission.choices[name] != NOT_CHOSEN[name]:
            raise UsageError(f"{name}= is not for batches of an API server")
    if submission.stream or submission.resume is not None:
        raise UsageError("stream= and resume= are not for an API server: it gets all prompts, or none")
    pairs = {name: _text(name, value) for name, value in submission.choices.items()}
    pairs["partial"] = "false" if submission.strict else "true"
    if submission.budget is not None:
        pairs["budget_usd"] = f"{submission.budget / MICROS_PER_DOLLAR:.6f}"
    return {f"waybill_{name}": text for name, text in pairs.items() if text is not None}


def _text(name: str, value: Any) -> str | None:
    """Return the value of an option as text; None where it is the server's default."""
    if value is None or value == () or name in _NOT_THERE or NOT_CHOSEN.get(name) == value:
        return None
    if name == "dedupe":
        return str(dedupe_of(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, timedelta):
        return f"{seconds_of(value):.3f}s"
    return str(value)
