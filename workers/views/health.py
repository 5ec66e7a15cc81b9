"""Why a batch does not get on, in words: missing workers, a silent Redis, failing models, money, a rate."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tasks.providers.errors import ErrorKind
from tasks.store.batch_progress import PausedModel, Progress
from tasks.store.batches import PYTHON
from tasks.store.chunks import DISPATCH
from tasks.store.health.missing import missing_text
from tasks.store.health.model_errors import ModelError
from tasks.store.health.redis_refusals import refused_text
from tasks.store.health.silent_redis import silent_text
from tasks.store.health.waits import MOST, Wait

#: who is told: somebody at a terminal, who holds a `Batch`, or who looks at its page
Reader: TypeAlias = Literal["command", "python", "page"]
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
#: what may pass by itself
_PASSING = ("connection", "timeout")
#: after so many tries of a request its failures are no accident
_MANY_TRIES = 3


def health_lines(state: Progress, reader: Reader = "command") -> list[str]:
    """Return a line for each thing that holds up a batch now; of one that has ended, all errors of calls."""
    missing = missing_text(state.missing_roles, lacks_stack=state.lacks_stack)
    waiting_for = {one.model for one in state.waits}
    return [
        *([broken_off_text(state, reader)] if state.interrupted else []),
        *([missing] if missing else []),
        *([silent_text(state.silent_redis)] if state.silent_redis and state.waiting else []),
        *([refused_text(state.refused_workers)] if state.refused_workers else []),
        # Without a worker that calls models, requests wait for it alone, whatever they waited for before.
        *([] if _nobody_calls(state) else wait_lines(state, reader)),
        *(paused_text(one) for one in state.paused if one.model not in waiting_for),
        *(error_text(one) for one in state.errors if state.finished or one.seconds_ago < RECENT_S),
    ]


def _nobody_calls(state: Progress) -> bool:
    return DISPATCH in state.missing_roles


def action(name: Literal["cancel", "resume", "status"], state: Progress, reader: Reader) -> str:
    """Return how a reader does something to a batch: the command, the method, or the button."""
    if reader == "page":
        return name.capitalize()
    return f"`batch.{name}()`" if reader == "python" else f"`waybill {name} {state.batch_id}`"


def broken_off_text(state: Progress, reader: Reader = "command") -> str:
    """Return that a submission was interrupted, what its batch holds, and what can be done."""
    called = "nothing of it is called yet" if state.held else "they are worked on"
    lines = state.total + state.invalid
    again = f" --resume {state.batch_id}" if state.source != PYTHON else f"(…, resume={state.batch_id!r})"
    resume, cancel = action("resume", state, reader), action("cancel", state, reader)
    return (
        f"its submission was interrupted after {lines:,} lines; {called}: `submit{again}` sends the rest, "
        f"{resume} goes on with these lines, {cancel} ends it"
    )


def wait_lines(state: Progress, reader: Reader) -> list[str]:
    """Return what the open requests of a batch wait for; the last line says how not to wait any longer."""
    lines = [wait_text(one) for one in state.waits]
    if any(one.reason != "rate" for one in state.waits):
        lines[-1] += f"; {action('cancel', state, reader)} ends the batch with the answers so far"
    return lines


def wait_text(wait: Wait) -> str:
    """Return how many requests wait for what, when they are tried next, and when they are given up."""
    many = f"{MOST:,} requests or more wait" if wait.requests >= MOST else f"{wait.requests:,} requests wait"
    who = "1 request waits" if wait.requests == 1 else many
    if wait.reason == "money":
        return f"{who} for money: what is left of the budget is reserved for calls in flight"
    if wait.reason == "rate":
        return f"{who} for {wait.model}, which takes {wait.detail} (its `rpm` in the settings)"
    tried = (
        f", tried {'once' if wait.tries == 1 else f'{wait.tries} times'} at most so far" if wait.tries else ""
    )
    soon = "a try is on its way" if not wait.next_s else f"the next try is in {wait.next_s:.0f} s"
    ends = f", given up {wait.gives_up}" if wait.gives_up else ""
    return f"{who} for {wait.model}: {_cause(wait)}{tried}; {soon}{ends}"


def _cause(wait: Wait) -> str:
    """Return why a model does not answer; the last error too, where its pause does not name it."""
    if wait.reason == "retry":
        return f"its last call failed with {wait.detail}"
    code = f", the last with {wait.code}" if wait.code and wait.code not in wait.detail else ""
    return f"{wait.detail}{code}"


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


def lasts(error: ModelError, state: Progress) -> bool:
    """Return whether such calls go on failing, or have left requests without an answer.

    The retry of a single call mostly goes well: while a batch runs, that is no reason to look at it.
    """
    if state.finished:
        return state.failed > state.budget_stops
    tries = [one.tries for one in state.waits if one.model == error.model]
    return needs_care(error) or max(tries, default=0) >= _MANY_TRIES


def needs_care(error: ModelError) -> bool:
    """Return whether somebody must see to what such calls fail with: it does not pass by itself."""
    return has_advice(error) and error.code not in _PASSING


def has_advice(error: ModelError) -> bool:
    """Return whether there is something to check where such calls go on failing."""
    return error.code in _ADVICE


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"
