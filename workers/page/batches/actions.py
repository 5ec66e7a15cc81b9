"""What the buttons of a batch do; only its owner has them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection
from starlette.responses import Response

from tasks.batch_api import steering
from tasks.batch_api.errors import ApiError, NotFound
from tasks.money.budgets import required_budget
from tasks.store.api.keys import Key
from workers.page.batches import view
from workers.page.visit import Visit

_Action = Callable[[Connection, Key, str, str | None, int | None], object]


def act(visit: Visit) -> Response:
    """Do what a button says, and show the batch again."""
    batch_id, name = visit.path("batch_id"), visit.path("action")
    action = _ACTIONS.get(name)
    if action is None:
        raise NotFound("action", name[:40])
    budget = _budget(visit.form.get("budget_usd", ""))
    with visit.store.read() as connection:
        row = view.read(connection, visit.key, batch_id)
    if not row.is_own:  # an operator sees what others do, and changes nothing of it
        raise NotFound("batch", batch_id)
    with visit.store.write() as connection:
        action(connection, visit.key, batch_id, row.row["owner"], budget)
    return visit.to(f"/batches/{batch_id}?done={name}")


def _set_budget(
    connection: Connection, key: Key, batch_id: str, owner: str | None, budget: int | None
) -> None:
    if budget is None:
        raise ApiError("name the dollars that the batch may spend in all", param="budget_usd")
    steering.set_budget(connection, key, batch_id, owner, budget)


def _budget(text: str) -> int | None:
    """Return the micro-dollars that a form names; None for an empty field."""
    if not text.strip():
        return None
    try:
        return required_budget(float(text))
    except ValueError:
        raise ApiError("a budget is a number of dollars, such as 5.00", param="budget_usd") from None


_ACTIONS: dict[str, _Action] = {
    "pause": lambda connection, key, batch_id, owner, _: steering.pause(connection, key, batch_id, owner),
    "resume": lambda connection, key, batch_id, owner, _: steering.resume(connection, key, batch_id, owner),
    "cancel": lambda connection, key, batch_id, owner, _: steering.cancel(connection, key, batch_id, owner),
    "retry": steering.retry,
    "budget": _set_budget,
}
