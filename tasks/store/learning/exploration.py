"""Exploration: the other candidates also answer the requests of a batch whose model was drawn at random.

Their answers are requests of the exploration batch, a batch of purpose `collect` that the explored batch pays
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, select

from tasks.endpoints.registry import stored_prompt
from tasks.formats.requests import ParsedRequest
from tasks.store import batches, ingestion
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.learning import samples
from tasks.store.learning.samples import COLLECT, Sample
from tasks.store.sweep_locks import one_by_one
from tasks.store.tables import batch
from tasks.store.values import HeldRequest

#: the reason of a decision whose model was drawn at random
EXPLORATION = "exploration"


@dataclass(frozen=True, slots=True)
class DrawnRequest:
    """A request whose model was drawn at random, its category, and the other models that should answer it."""

    request: HeldRequest
    category: str | None
    model: str
    others: tuple[str, ...]


def create_exploration_batch(connection: Connection, payer: RowMapping) -> None:
    """Create the exploration batch of a new batch, which pays for it."""
    options = BatchOptions.from_row(payer["options"])
    # A sample holds what each model answers, fit or not. Each answer has its price: none is an earlier one.
    validate = "off" if options.validate == "off" else "flag"
    options = replace(options, explore=0.0, reuse_s=None, validate=validate)
    source = f"explored beside {payer['id']}"
    batches.create(
        connection,
        source=source,
        options=options,
        budget=None,
        purpose=COLLECT,
        payer_no=payer["no"],
        owner=payer["owner"],
    )


def exploration_batch_of(connection: Connection, batch_no: int) -> RowMapping | None:
    """Return the exploration batch of this batch, without locking it; None if it has none."""
    query = select(batch).where(batch.c.payer_no == batch_no, batch.c.purpose == COLLECT)
    return connection.execute(query).mappings().first()


def locked_exploration_batch(connection: Connection, batch_no: int) -> RowMapping | None:
    """Return the exploration batch, locked. Call this before its payer is locked (see `batches.charge`)."""
    row = exploration_batch_of(connection, batch_no)
    return None if row is None else batches.lock(connection, row["no"])


def add_answers(connection: Connection, exploration_batch: RowMapping, drawn: Sequence[DrawnRequest]) -> None:
    """Add requests to the other candidates to the exploration batch, unless it accepts no more."""
    if exploration_batch["status"] != "ingesting":
        return
    options = batches.options_of(connection, exploration_batch["no"])
    parsed = [_parsed(one.request) for one in drawn]
    answers = [(index, model) for index, one in enumerate(drawn) for model in one.others]
    lines = {key: exploration_batch["lines_read"] + number for number, key in enumerate(answers, start=1)}
    requests = [
        parsed[i]._replace(custom_id=f"{drawn[i].request.id}:{model}", model=model, line=line)
        for (i, model), line in lines.items()
    ]
    ingestion.ingest(connection, exploration_batch["no"], options, requests)
    sampled = [
        Sample(request, one.category, {one.model: one.request.id})
        for request, one in zip(parsed, drawn, strict=True)
    ]
    samples.add(connection, exploration_batch["no"], sampled, lines)


def close_finished(store: Store) -> None:
    """End the ingestion of the exploration batches whose payers have finished."""
    payer = batch.alias()
    query = (
        select(batch.c.no)
        .join(payer, payer.c.no == batch.c.payer_no)
        .where(batch.c.status == "ingesting", batch.c.purpose == COLLECT)
        .where(payer.c.status.in_(batches.FINISHED))
    )
    with store.read() as connection:
        batch_nos = list(connection.execute(query).scalars())
    one_by_one(
        store,
        [(batch_no, None) for batch_no in batch_nos],
        lambda connection, row, _: ingestion.finish(connection, row["no"]),
    )


def _parsed(request: HeldRequest) -> ParsedRequest:
    return ParsedRequest(
        0,
        request.custom_id,
        None,
        request.body,
        request.messages,
        stored_prompt(request.endpoint, request.body),
        request.max_tokens,
        request.endpoint,
    )
