"""Why a batch does not get on, in words: missing workers, a silent Redis, paused models, errors of calls."""

from __future__ import annotations

from tasks.providers.errors import ErrorKind
from tasks.store.batches import PYTHON
from tasks.store.health.missing import missing_text
from tasks.store.health.model_errors import ModelError
from tasks.store.health.silent_redis import silent_text
from tasks.store.progress import PausedModel, Progress

#: an error that is older than this is past, while the batch runs
RECENT_S = 300.0
_ADVICE = {
    "connection": "check its api_base, and that its server runs",
    "model_not_found": "check its name and its api_base",
    "timeout": "check its api_base and timeout_s",
    "authentication": "check its key",
    "missing_key": "set it there, and start the worker again",
    "permission_denied": "check what its key may do",
    "payment_required": "check the credit of its account",
}


def health_lines(state: Progress) -> list[str]:
    """Return a line for each thing that holds up a batch now; of one that has ended, all errors of calls."""
    missing = missing_text(state.missing_roles)
    return [
        *([broken_off_text(state)] if state.sending is False else []),
        *([missing] if missing else []),
        *([silent_text(state.silent_redis)] if state.silent_redis and state.waiting else []),
        *map(paused_text, state.paused),
        *(error_text(one) for one in state.errors if state.finished or one.seconds_ago < RECENT_S),
    ]


def broken_off_text(state: Progress) -> str:
    """Return that the sender of a batch stopped, what the batch holds, and what can be done."""
    called = "nothing of it is called yet" if state.held else "they are worked on"
    lines = state.total + state.invalid
    again = f" --resume {state.batch_id}" if state.source != PYTHON else f"(…, resume={state.batch_id!r})"
    return (
        f"its sender stopped after {lines:,} lines; {called}: `submit{again}` sends the rest, "
        f"`waybill resume {state.batch_id}` goes on with these lines, `waybill cancel` ends it"
    )


def paused_text(paused: PausedModel) -> str:
    """Return which model is paused, why and for how long."""
    return f"{paused.model} is paused: {paused.reason} ({paused.seconds_left:.0f} s)"


def error_text(error: ModelError) -> str:
    """Return what calls to a model failed with, how often, since when, and what to check."""
    calls = "1 call" if error.calls == 1 else f"{error.calls:,} calls"
    first = error.seconds_ago + (error.last_at - error.first_at) / 1000
    since = "" if error.calls == 1 else f"the first {_ago(first)}, the last "
    advice = f": {_ADVICE[error.code]}" if error.code in _ADVICE else ""
    how = "not made:" if error.code == ErrorKind.MISSING_KEY else "failed with"
    return f"{error.model}: {calls} {how} {error.detail}, {since}{_ago(error.seconds_ago)}{advice}"


def needs_care(error: ModelError) -> bool:
    """Return whether somebody must see to what such calls fail with: it does not pass by itself."""
    return error.code in _ADVICE


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"
