"""What the open requests of a batch wait for, beside their turn: a model that fails, money, a rate.

Each query stops at `MOST` rows: to look at a batch costs no more at a million requests than at a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, func, literal, select

from tasks.providers.errors import ErrorKind
from tasks.settings import Settings
from tasks.store import batches, paused_models, waiting
from tasks.store.chunks import DISPATCH
from tasks.store.engine import now_ms
from tasks.store.health.model_errors import ModelError
from tasks.store.ids import READY
from tasks.store.tables import chunk, request

#: the most requests that are counted
MOST = 1_000
#: how long after its pause a model that was not heard of since counts as failing: its probe is on its way
PROBING_MS = 600_000
#: how long a request may be due before upkeep has taken it
_DUE_MS = 60_000


@dataclass(frozen=True, slots=True)
class WaitRules:
    """What the settings say about waiting: how often and how long is tried, the models' rates a minute."""

    tries: int
    pauses: int
    pause_s: float
    give_up_s: float
    rpm: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> WaitRules:
        """Return the rules in the settings."""
        dispatch = settings.dispatch
        return cls(
            max(dispatch.attempts_per_model, dispatch.attempts_last_model),
            dispatch.pauses,
            dispatch.pause_s,
            settings.breaker.give_up_s,
            {model.name: model.rpm for model in settings.models if model.rpm},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Open requests of a batch that wait for one thing.

    Attributes:
        reason: `model`: it fails, and is not called or only now and then. `retry`: their last calls failed.
            `money`: the budget has no room beside the calls in flight. `rate`: the model's `rpm`.
        requests: How many; `MOST` means so many or more.
        model: The model; None where they wait for money.
        code: The code of the last error of the batch's calls to the model; None if there was none.
        detail: That error, or why the model is not called, in Waybill's own words.
        tries: How often one of them was sent to the model so far, at most.
        next_s: The seconds until the next try; None where it depends on other calls.
        gives_up: When they end without an answer, in words; empty where that is not known.
    """

    reason: Literal["model", "retry", "money", "rate"]
    requests: int
    model: str | None = None
    code: str | None = None
    detail: str = ""
    tries: int = 0
    next_s: float | None = None
    gives_up: str = ""


def of_batch(
    connection: Connection,
    row: Mapping[str, Any],
    errors: Sequence[ModelError],
    rules: WaitRules | None = None,
) -> tuple[Wait, ...]:
    """Return what the open requests of a batch wait for; nothing where nothing may begin.

    Args:
        connection: An open transaction.
        row: The batch's row.
        errors: What its calls failed with, of each model the last first.
        rules: The rules of waiting; None: it is not said when a wait ends, nor what waits for a rate.
    """
    if row["status"] not in batches.OPEN or row["paused_at"] is not None:
        return ()
    last = {one.model: one for one in reversed(errors)}
    failing = list(_failing(connection, row["no"], last, rules))
    named = {one.model for one in failing}
    retried = _retried(connection, row["no"], last, rules) if errors else ()
    found = [*failing, *(one for one in retried if one.model not in named)]
    named |= {one.model for one in found}
    return (*found, *_money(connection, row["no"]), *_rates(connection, row["no"], named, rules))


def _failing(
    connection: Connection, batch_no: int, last: Mapping[str, ModelError], rules: WaitRules | None
) -> Iterator[Wait]:
    """Yield the waits for models that are not called now, or only for a probe."""
    now = connection.execute(select(now_ms())).scalar_one()
    for row in paused_models.since(connection, now - PROBING_MS):
        model, error = row["model"], last.get(row["model"])
        requests = min(_queued(connection, batch_no, model) + _put_off(connection, batch_no, model), MOST)
        if requests:
            yield Wait(
                reason="model",
                requests=requests,
                model=model,
                code=error.code if error else None,
                detail=row["reason"],
                next_s=max(0.0, (row["paused_until"] - now) / 1000),
                gives_up=_end_of_pause(row["reason"], rules),
            )


def _retried(
    connection: Connection, batch_no: int, last: Mapping[str, ModelError], rules: WaitRules | None
) -> Iterator[Wait]:
    """Yield the waits for another try, by model."""
    soon = _soon().subquery()
    query = (
        select(
            soon.c.model,
            func.count().label("requests"),
            (func.min(soon.c.next_attempt_at) - now_ms()).label("left_ms"),
            func.max(soon.c.model_attempts).label("tries"),
        )
        .where(soon.c.batch_no == batch_no, soon.c.model.in_(list(last)), soon.c.model_attempts > 0)
        .group_by(soon.c.model)
        .order_by(soon.c.model)
    )
    for found in connection.execute(query):
        error = last[found.model]
        yield Wait(
            reason="retry",
            requests=found.requests,
            model=found.model,
            code=error.code,
            detail=error.detail,
            tries=found.tries,
            next_s=max(0.0, found.left_ms / 1000),
            gives_up=_end_of_tries(error.code, rules),
        )


def _money(connection: Connection, batch_no: int) -> Iterator[Wait]:
    requests = waiting.count(connection, batch_no, limit=MOST)
    if requests:
        yield Wait(reason="money", requests=requests)


def _rates(
    connection: Connection, batch_no: int, named: set[str | None], rules: WaitRules | None
) -> Iterator[Wait]:
    """Yield the waits for models that answer, and take more than a minute for what waits for them."""
    for model, rpm in sorted(rules.rpm.items() if rules else ()):
        # Of more than MOST it is not known how many wait: a higher rate is not blamed.
        if rpm < MOST and model not in named and (requests := _queued(connection, batch_no, model)) > rpm:
            yield Wait(reason="rate", requests=requests, model=model, detail=f"{rpm:,} a minute")


def _queued(connection: Connection, batch_no: int, model: str) -> int:
    """Count the requests of a batch in chunks for a model, up to `MOST`."""
    held = (
        select(request.c.id)
        .join(chunk, chunk.c.id == request.c.chunk_id)
        .where(
            chunk.c.queue == f"{DISPATCH}.{model}",
            chunk.c.state.in_(("queued", "claimed")),
            chunk.c.batch_no == batch_no,
            request.c.state == "held",
        )
        .limit(MOST)
    )
    return connection.execute(select(func.count()).select_from(held.subquery())).scalar_one()


def _put_off(connection: Connection, batch_no: int, model: str) -> int:
    """Count the requests of a batch among those that are soonest tried again."""
    soon = _soon().subquery()
    query = select(func.count()).where(soon.c.batch_no == batch_no, soon.c.model == model)
    return connection.execute(query.select_from(soon)).scalar_one()


def _soon() -> Any:
    """Return the query for the requests of all batches that are soonest tried again, by their index."""
    columns = (request.c.batch_no, request.c.model, request.c.next_attempt_at, request.c.model_attempts)
    due = request.c.next_attempt_at.between(now_ms() - _DUE_MS, literal(waiting.NEVER - 1))
    return (
        select(*columns).where(request.c.state == READY, due).order_by(request.c.next_attempt_at).limit(MOST)
    )


def _end_of_pause(reason: str, rules: WaitRules | None) -> str:
    if rules is None:
        return ""
    if reason.startswith(paused_models.CIRCUIT_OPEN):
        return f"after {_period(rules.give_up_s)} in which every call failed"
    return _end_of_tries(ErrorKind.AUTHENTICATION.value, rules)


def _end_of_tries(code: str, rules: WaitRules | None) -> str:
    if rules is None:
        return ""
    if code in {kind.value for kind in ErrorKind if kind.needs_operator}:
        return f"after {rules.pauses} tries, {_period(rules.pause_s)} apart"
    return f"after {rules.tries} tries at most"


def _period(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{round(seconds / size, 1):,g} {unit}"
    return f"{round(seconds, 1):g} s"
