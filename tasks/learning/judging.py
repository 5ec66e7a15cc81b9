"""Judging: a run of judges over collected answers becomes a batch of purpose `judge`."""

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
from tasks.submission import submit

#: prompts that one worker looks at together
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has begun."""

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
) -> Run:
    """Let judges compare the answers of these collecting batches, by default of the newest one.

    judges: one to five models, [judge] models by default. every_pair: judge every pair, also where a prompt's
    winner is known. budget: micro-dollars, None for no cap. What earlier runs judged is not judged again.

    Raises:
        SettingsError: There are no judges, or one of them is not among [[models]] or without a price.
        UsageError: A batch collects nothing or is not finished, or there is nothing to compare.
    """
    names = tuple(dict.fromkeys(judges or settings.judge.models))
    if not 1 <= len(names) <= 5:
        raise SettingsError("name one to five judges: [judge] models in waybill.toml, or --judges")
    options = replace(
        submit.options_for(settings, models=names, dedupe=False), every_pair=every_pair, chunk_size=CHUNK
    )
    batches.check_budget(options, budget)
    with store.write() as connection:
        rows = _collections(connection, collections)
        row, prompts = judge_runs.begin(
            connection,
            [one["no"] for one in rows],
            source=", ".join(one["id"] for one in rows),
            options=options,
            budget=budget,
        )
    return Run(row["id"], prompts)


def summary(store: Store, batch_id: str) -> RunSummary:
    """Return how far a run has come; raises UnknownBatch, or UsageError for a batch that is none."""
    with store.read() as connection:
        row = batches.find(connection, batch_id)
        if row["purpose"] != judge_runs.JUDGE:
            raise UsageError(f"{batch_id} is no run of judges")
        return run_queries.summary(connection, row)


def _collections(connection: Connection, batch_ids: Sequence[str]) -> list[RowMapping]:
    named = [batches.find(connection, batch_id) for batch_id in batch_ids]
    # Of a batch that was explored, the answers beside it are meant.
    found = [exploration.exploration_batch_of(connection, row["no"]) or row for row in named] or _newest(
        connection
    )
    for row in found:
        if row["purpose"] != COLLECT:
            raise UsageError(f"{row['id']} has collected no answers: `waybill collect` or `submit --explore`")
        if row["payer_no"] is None and row["status"] not in batches.FINISHED:
            raise UsageError(f"{row['id']} is {row['status']}: wait until its answers are there")
    return found


def _newest(connection: Connection) -> list[RowMapping]:
    query = select(batch).where(batch.c.purpose == COLLECT).order_by(batch.c.no.desc()).limit(1)
    found = list(connection.execute(query).mappings())
    if not found:
        raise UsageError("no answers were collected yet: `waybill collect` first")
    return found
