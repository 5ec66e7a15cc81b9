"""Exploration beside a running batch: what was drawn is answered by the other candidates as well.

Their answers are requests of a companion, a batch of purpose `collect` that the explored batch pays for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, select

from tasks.formats.inputs.messages import prompt_of
from tasks.formats.requests import ParsedRequest
from tasks.store import batches, ingestion
from tasks.store.engine import Store
from tasks.store.learning import samples
from tasks.store.learning.samples import COLLECT, Sample
from tasks.store.tables import batch
from tasks.store.values import BatchOptions, HeldRequest

#: the reason of a decision whose model was drawn
EXPLORATION = "exploration"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A request whose model was drawn, its category, and the models that are to answer it as well."""

    request: HeldRequest
    category: str | None
    model: str
    others: tuple[str, ...]


def create_exploration_batch(connection: Connection, payer: RowMapping) -> None:
    """Open the companion of a new batch."""
    options = replace(BatchOptions.from_row(payer["options"]), explore=0.0)
    source = f"explored beside {payer['id']}"
    batches.create(
        connection, source=source, options=options, budget=None, purpose=COLLECT, payer_no=payer["no"]
    )


def exploration_batch_of(connection: Connection, batch_no: int) -> RowMapping | None:
    """Return the batch that holds the explored answers of this batch, not locked."""
    query = select(batch).where(batch.c.payer_no == batch_no, batch.c.purpose == COLLECT)
    return connection.execute(query).mappings().first()


def locked_exploration_batch(connection: Connection, batch_no: int) -> RowMapping | None:
    """Return the companion, locked: to be called before its payer is (see `batches.charge`)."""
    found = exploration_batch_of(connection, batch_no)
    return None if found is None else batches.lock(connection, found["no"])


def add_answers(connection: Connection, companion: RowMapping, drawn: Sequence[Drawn]) -> None:
    """Let the other candidates answer what was drawn; nothing once the companion takes no more."""
    if companion["status"] != "ingesting":
        return
    options = BatchOptions.from_row(companion["options"])
    parsed = [_parsed(one.request) for one in drawn]
    wanted = [(index, model) for index, one in enumerate(drawn) for model in one.others]
    lines = {key: companion["lines_read"] + number for number, key in enumerate(wanted, start=1)}
    requests = [
        replace(parsed[i], custom_id=f"{drawn[i].request.id}:{model}", model=model, line=line)
        for (i, model), line in lines.items()
    ]
    ingestion.ingest(connection, companion["no"], options, requests)
    found = [
        Sample(item, one.category, {one.model: one.request.id})
        for item, one in zip(parsed, drawn, strict=True)
    ]
    samples.add(connection, companion["no"], found, lines)


def close_finished(store: Store) -> None:
    """Let companions end whose payers have ended: nothing more is drawn for them."""
    payer = batch.alias()
    query = (
        select(batch.c.no)
        .join(payer, payer.c.no == batch.c.payer_no)
        .where(batch.c.status == "ingesting", batch.c.purpose == COLLECT)
        .where(payer.c.status.in_(batches.FINISHED))
    )
    with store.read() as connection:
        numbers = list(connection.execute(query).scalars())
    for number in numbers:
        with store.write() as connection:
            batches.lock(connection, number)
            ingestion.finish(connection, number)


def _parsed(request: HeldRequest) -> ParsedRequest:
    prompt = prompt_of(json.loads(request.body)["messages"])
    return ParsedRequest(
        0, request.custom_id, None, request.body, request.messages, prompt, request.max_tokens
    )
