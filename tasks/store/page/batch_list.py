"""The batches that a key may see on its page: its own or, for an operator, all with those of the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    String,
    and_,
    cast,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)

from tasks.store import batches
from tasks.store.api.keys import Key
from tasks.store.api.tables import api_batch, api_key
from tasks.store.tables import batch
from tasks.store.unlocked import deltas

Show = Literal["all", "running", "ended", "failures"]
#: what stands for the owner of the batches that the command and the Python API have submitted
COMMAND = "command"
_OF_RUN = (
    "no", "status", "total", "invalid", "duplicates", "succeeded", "failed", "cancelled", "spent", "reserved",
    "budget", "finished_at", "created_at", "paused_at", "source",
)  # fmt: skip
_OF_API = ("id", "owner", "state", "errors", "expired_at", "budget", "cancelling_at", "created_at", "pairs")
_COUNTED = ("succeeded", "failed", "cancelled", "spent", "reserved")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which batches are listed.

    Attributes:
        show: Those that run, that have ended, or that have failures.
        owner: The name of a key, for operators; `command` for the batches of the command.
        before: The time and the id of the last batch of the page before.
    """

    show: Show = "all"
    owner: str = ""
    before: tuple[int, str] | None = None


def page(connection: Connection, key: Key, wanted: Filter, *, limit: int) -> list[dict[str, Any]]:
    """Return batches, the newest first, as rows with what their requests have come to, as `run_…`."""
    listed = _of_everyone() if key.is_operator else _of_keys().where(api_batch.c.owner == key.id)
    found = listed.subquery()
    query = select(found).where(*_conditions(found.c, wanted))
    ordered = query.order_by(found.c.created_at.desc(), found.c.id.desc()).limit(limit)
    return _with_unfolded(connection, list(connection.execute(ordered).mappings()))


def find(connection: Connection, key: Key, batch_id: str) -> dict[str, Any] | None:
    """Return the row of a batch that a key may see; None for another's and for one that does not exist."""
    listed = _of_everyone() if key.is_operator else _of_keys().where(api_batch.c.owner == key.id)
    found = listed.subquery()
    rows = list(connection.execute(select(found).where(found.c.id == batch_id)).mappings())
    return next(iter(_with_unfolded(connection, rows)), None)


def _of_run() -> list[ColumnElement[Any]]:
    """Return the columns of the requests' batch, with what people call it, as `run_…`."""
    name = batch.c.options["name"].as_string().label("run_name")
    # As text: a newer Waybill may store something else, which no cast to a boolean could read.
    hold = cast(batch.c.options["hold"].as_string(), String).in_(("true", "1")).label("run_hold")
    return [*(batch.c[column].label(f"run_{column}") for column in _OF_RUN), name, hold]


def _of_keys() -> Select[Any]:
    """Return the query of the batches of all keys."""
    shown = [api_batch.c[name] for name in _OF_API]
    joined = api_batch.outerjoin(batch, batch.c.id == api_batch.c.id)
    return select(*shown, api_key.c.name.label("owner_name"), *_of_run()).select_from(
        joined.outerjoin(api_key, api_key.c.id == api_batch.c.owner)
    )


def _of_everyone() -> Any:
    """Return the query of the batches of all keys and of the command."""
    own = {"id": batch.c.id, "created_at": batch.c.created_at}
    shown = [own.get(name, literal(None, api_batch.c[name].type)).label(name) for name in _OF_API]
    of_command = select(*shown, null().label("owner_name"), *_of_run()).where(
        batch.c.owner.is_(None), batch.c.purpose == batches.ANSWER
    )
    return union_all(_of_keys(), of_command)


def _conditions(column: Any, wanted: Filter) -> list[Any]:
    runs = or_(
        column.state == "validating",
        and_(
            or_(column.state.is_(None), column.state == "running"), column.run_status.not_in(batches.FINISHED)
        ),
    )
    by_show = {
        "all": [],
        "running": [runs],
        "ended": [~runs],
        "failures": [or_(column.run_failed > 0, column.run_invalid > 0, column.state == "failed")],
    }
    found = list(by_show[wanted.show])
    if wanted.owner:
        found.append(column.owner.is_(None) if wanted.owner == COMMAND else column.owner_name == wanted.owner)
    if wanted.before is not None:
        found.append(tuple_(column.created_at, column.id) < wanted.before)
    return found


def _with_unfolded(connection: Connection, rows: list[RowMapping]) -> list[dict[str, Any]]:
    """Return the rows with what is not yet folded into them."""
    more = deltas.unfolded(connection, [row["run_no"] for row in rows if row["run_no"] is not None])
    return [_added(row, more.get(row["run_no"], {})) for row in rows]


def _added(row: RowMapping, more: dict[str, int]) -> dict[str, Any]:
    added = {f"run_{name}": row[f"run_{name}"] + more[name] for name in _COUNTED if name in more}
    return {**row, **added}
