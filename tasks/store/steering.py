"""Changes of a batch while it runs: it is paused, goes on, or gets another budget."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select, update

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.errors import UsageError
from tasks.store import batches, chunks, ingestion, ledger, waiting
from tasks.store.engine import now_ms
from tasks.store.health import senders
from tasks.store.tables import batch, chunk, outbox
from tasks.store.unlocked import deltas

#: how many waiting requests go on at once; the sweeper wakes the others
MOST_WOKEN = 100_000


def pause(connection: Connection, batch_id: str) -> None:
    """Begin nothing of a batch, nor of those that it pays for; calls in flight end and are kept.

    One that is held until its last line is stored does not begin then, either.

    Raises:
        UsageError: The batch has ended.
    """
    rows = _running(connection, batch_id)
    for row in rows:
        if row["paused_at"] is None:
            _change(connection, row["no"], paused_at=now_ms())
    options = batches.find(connection, batch_id)["options"]
    if options.get("hold"):
        _change(connection, rows[-1]["no"], options={**options, "hold": False})


def resume(connection: Connection, batch_id: str) -> None:
    """Let a paused batch, and those that it pays for, go on.

    A batch whose sender stopped before the last line goes on with the lines that it holds; one of the API,
    whose server sends the rest by itself, waits for them.

    Raises:
        UsageError: The batch has ended.
    """
    rows = _running(connection, batch_id)
    let_go(connection, rows)
    row = rows[-1]
    is_sent = row["status"] == "ingesting" and row["owner"] is None
    if is_sent and senders.is_alive(connection, batch_id) is False:
        ingestion.finish(connection, row["no"])
        senders.end(connection, batch_id)


def finish_submission(connection: Connection, batch_id: str) -> None:
    """End the ingestion of a batch whose last line is stored; one that was held until then begins."""
    batch_no = batches.find(connection, batch_id)["no"]
    if batches.options_of(connection, batch_no).hold:
        rows = _running(connection, batch_id)
        if batches.options_of(connection, batch_no).hold:  # nobody has paused it until the lock was ours
            let_go(connection, rows)
    ingestion.finish(connection, batch_no)
    senders.end(connection, batch_id)


def let_go(connection: Connection, rows: Sequence[RowMapping]) -> None:
    """Let these batches, which the caller has locked, go on."""
    for row in rows:
        _change(connection, row["no"], paused_at=None)
        # Workers took messages meanwhile and claimed nothing; a message too many does no harm.
        pending = select(outbox.c.chunk_id)
        queued = select(chunk.c.id, chunk.c.epoch, chunk.c.stage, chunk.c.queue).where(
            chunk.c.batch_no == row["no"], chunk.c.state == "queued", chunk.c.id.not_in(pending)
        )
        chunks.announce(connection, [tuple(one) for one in connection.execute(queued)])
    _wake(connection, rows)


def set_budget(connection: Connection, batch_id: str, budget: int) -> None:
    """Set the cap of a running batch, in micro-dollars.

    Raises:
        UsageError: The batch has ended, has a model without a price, or has spent or reserved more already.
    """
    rows = _running(connection, batch_id)
    row = rows[-1]
    batches.check_budget(batches.options_of(connection, row["no"]), budget)
    taken = row["spent"] + row["reserved"]
    if budget < taken:
        spent, reserved = (row[name] / MICROS_PER_DOLLAR for name in ("spent", "reserved"))
        raise UsageError(
            f"{batch_id} has spent ${spent:.4f}, and its calls in flight may cost ${reserved:.4f}: "
            f"its budget cannot be less"
        )
    _change(connection, row["no"], budget=budget)
    _wake(connection, rows)


def _running(connection: Connection, batch_id: str) -> list[RowMapping]:
    """Lock a batch and the running ones that it pays for; returns their rows, its own last."""
    batch_no = batches.find(connection, batch_id)["no"]
    # The payer last: see `batches.charge`. No purse is left, so no process begins anything without the lock.
    *paid, row = [deltas.exact(connection, no) for no in [*batches.paid_by(connection, batch_no), batch_no]]
    if row["status"] not in batches.OPEN:
        raise UsageError(f"{batch_id} is {row['status']}: retry with a budget to send again what failed")
    return [*(one for one in paid if one["status"] in batches.OPEN), row]


def _wake(connection: Connection, rows: Sequence[RowMapping]) -> None:
    """Let the waiting requests of these batches go on that fit the budgets now."""
    for row in rows:
        ended = waiting.wake(connection, row["no"], limit=MOST_WOKEN)
        ledger.apply_results(connection, row["no"], ended)


def _change(connection: Connection, batch_no: int, **values: object) -> None:
    connection.execute(update(batch).where(batch.c.no == batch_no).values(**values))
