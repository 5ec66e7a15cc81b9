"""Judge runs: judges compare collected answers, in a batch of purpose `judge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, select

from tasks.errors import SettingsError, UsageError
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.learning import exploration, judge_runs, run_queries
from tasks.store.learning.run_queries import RunSummary
from tasks.store.learning.samples import COLLECT
from tasks.store.tables import batch
from tasks.submission.options import options_for

#: prompts per chunk of a judge run
CHUNK_SIZE = 64


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """A judge run that has started: its batch and its number of prompts."""

    batch_id: str
    prompts: int


def begin(
    store: Store,
    settings: Settings,
    collections: Sequence[str] = (),
    *,
    judges: Sequence[str] = (),
    every_pair: bool = False,
    budget: int | None = None,
) -> JudgeRun:
    """Start a run of judges that compare collected answers; pairs that earlier runs judged are not repeated.

    Args:
        collections: The ids of collecting batches; the newest one by default.
        judges: One to five models; `[judge] models` by default.
        every_pair: Judge every pair, even where a prompt's winner is known.
        budget: The cap on the cost in micro-dollars; None for no cap.

    Raises:
        SettingsError: There are no judges, or a model has no price.
        UsageError: A judge is not among [[models]]; a batch collects nothing or is not finished; there is
            nothing to compare.
    """
    options = replace(
        options_for(settings, models=judges_of(settings, judges), dedupe=False, validate="off", routes=False),
        every_pair=every_pair,
        chunk_size=CHUNK_SIZE,
    )
    batches.check_budget(options, budget)
    with store.write() as connection:
        rows = collections_of(connection, collections)
        row, prompts = judge_runs.begin(
            connection,
            [collection["no"] for collection in rows],
            source=", ".join(collection["id"] for collection in rows),
            options=options,
            budget=budget,
        )
    return JudgeRun(row["id"], prompts)


def judges_of(settings: Settings, judges: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the judges named, or those of the settings; raises SettingsError if not one to five."""
    names = tuple(dict.fromkeys(judges or settings.judge.models))
    if not 1 <= len(names) <= 5:
        raise SettingsError("name one to five judges: [judge] models in waybill.toml, or --judges")
    return names


def summary(store: Store, batch_id: str) -> RunSummary:
    """Return the progress of a judge run; raises UnknownBatch, or UsageError for any other batch."""
    with store.read() as connection:
        row = batches.find(connection, batch_id)
        if row["purpose"] != judge_runs.JUDGE:
            raise UsageError(f"{batch_id} is no run of judges")
        return run_queries.summary(connection, row)


def collections_of(connection: Connection, batch_ids: Sequence[str]) -> list[RowMapping]:
    """Return the rows of these collecting batches, or of the newest; raises UsageError if one is not done."""
    named = [batches.find(connection, batch_id) for batch_id in batch_ids]
    # The answers of a batch with exploration are in its exploration batch.
    collections = [exploration.exploration_batch_of(connection, row["no"]) or row for row in named]
    collections = collections or _newest(connection)
    for row in collections:
        if row["purpose"] != COLLECT:
            raise UsageError(f"{row['id']} has collected no answers: `waybill collect` or `submit --explore`")
        if row["payer_no"] is None and row["status"] not in batches.FINISHED:
            raise UsageError(f"{row['id']} is {row['status']}: wait until its answers are there")
    return collections


def _newest(connection: Connection) -> list[RowMapping]:
    query = select(batch).where(batch.c.purpose == COLLECT).order_by(batch.c.no.desc()).limit(1)
    rows = list(connection.execute(query).mappings())
    if not rows:
        raise UsageError("no answers were collected yet: `waybill collect` first")
    return rows
