"""What the requests of a batch that a retry sends again will probably cost, each at its own model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from router_core.pricing import Price, Usage, charged_micros
from tasks.store import batches
from tasks.store.ids import ids_of
from tasks.store.tables import attempt, outcome, request


class CallCost(NamedTuple):
    """The mean and the worst-case cost of a call in micro-dollars, the latter the highest of all calls."""

    mean: float
    worst: float


class _Called(NamedTuple):
    """The answered calls of a model: how many, their costs, and the mean tokens of prompt and answer."""

    calls: int
    cost: CallCost
    prompt: float
    answer: float


def likely(connection: Connection, batch_no: int) -> CallCost | None:
    """Return what a retry of a batch that has ended probably costs, and the worst case of one of its calls.

    A request costs what the answered calls of its model did on average. A model without any has the prices
    of the batch, and the longest mean answer of the others; a request that no model was chosen for yet costs
    the mean of all. None if no call of the batch was answered. It reads the batch's calls and what failed.
    """
    called = _called(connection, batch_no)
    if not called:
        return None
    left = _left(connection, batch_no)
    options = batches.options_of(connection, batch_no)
    costs = {
        name: called[name].cost if name in called else _as_others(called, options.price(name))
        for name in left
        if name is not None
    }
    mean = _mean(called, left, costs)
    total = sum(number * (mean if name is None else costs[name].mean) for name, number in left.items())
    possible = [one.cost for one in called.values()] if None in left else []
    return CallCost(total, max((one.worst for one in [*possible, *costs.values()]), default=0.0))


def _called(connection: Connection, batch_no: int) -> dict[str, _Called]:
    query = (
        select(
            attempt.c.model,
            func.count(),
            func.avg(attempt.c.cost),
            func.max(attempt.c.reserved),
            func.avg(attempt.c.prompt_tokens),
            func.avg(attempt.c.completion_tokens),
        )
        .where(attempt.c.request_id.between(*ids_of(batch_no)), attempt.c.state == "succeeded")
        .group_by(attempt.c.model)
    )
    return {
        model: _Called(calls, CallCost(float(mean), float(worst)), float(prompt or 0), float(answer or 0))
        for model, calls, mean, worst, prompt, answer in connection.execute(query)
    }


def _left(connection: Connection, batch_no: int) -> dict[str | None, int]:
    """Return how many requests have no answer, by the model that a retry calls; duplicates call none."""
    model = func.coalesce(outcome.c.model, request.c.model)
    query = (
        select(model, func.count())
        .select_from(outcome.join(request, request.c.id == outcome.c.request_id))
        .where(outcome.c.batch_no == batch_no, outcome.c.status.in_(("failed", "cancelled")))
        .where(outcome.c.duplicate_of.is_(None))
        .group_by(model)
    )
    return dict(connection.execute(query).all())


def _as_others(called: Mapping[str, _Called], price: Price | None) -> CallCost:
    """Return the cost of a call with the longest texts of other models; without a price the dearest one's."""
    dearest = max(one.cost for one in called.values())
    prompt = max(one.prompt for one in called.values())
    answer = max(one.answer for one in called.values())
    if price is None or not prompt + answer:  # a provider need not report tokens
        return dearest
    cost = charged_micros(Usage(input=round(prompt), output=round(answer)), price)
    return CallCost(cost, dearest.worst * cost / max(dearest.mean, 1.0))


def _mean(
    called: Mapping[str, _Called], left: Mapping[str | None, int], costs: Mapping[str, CallCost]
) -> float:
    """Return the mean cost of the requests whose model is known."""
    known = [(one.calls, one.cost.mean) for one in called.values()]
    known += [(left[name], cost.mean) for name, cost in costs.items()]
    return sum(number * mean for number, mean in known) / sum(number for number, _ in known)
