"""What is done to a batch: `waybill cancel`, `pause`, `resume`, `budget` and `retry`."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.amounts import a_budget, budget_option
from workers.cli.batch_ids import BatchId, full_id
from workers.cli.output import info
from workers.cli.store_context import open_store


def cancel(batch: BatchId) -> None:
    """Stop a batch: nothing new is called, calls in flight end and are recorded."""
    from tasks.store import control

    with open_store() as (_, store):
        batch = full_id(store, batch)
        with store.write() as connection:
            number = control.cancel(connection, batch)
        info(f"{batch}: {number} requests cancelled")


def pause(batch: BatchId) -> None:
    """Begin nothing of a batch until it is resumed; calls in flight end and are recorded."""
    from tasks.store import steering

    with open_store() as (_, store):
        batch = full_id(store, batch)
        with store.write() as connection:
            steering.pause(connection, batch)
        info(f"{batch}: paused; `waybill resume {batch}` lets it go on")


def resume(batch: BatchId) -> None:
    """Let a paused batch go on."""
    from tasks.store import steering

    with open_store() as (_, store):
        batch = full_id(store, batch)
        with store.write() as connection:
            steering.resume(connection, batch)
        info(f"{batch}: goes on")


def budget(
    batch: BatchId,
    usd: Annotated[
        float,
        typer.Argument(metavar="USD", callback=a_budget, help="All that it may ever spend, more than 0."),
    ],
) -> None:
    """Set the cap of a running batch; requests that waited for money go on."""
    from tasks.money.budgets import required_budget
    from tasks.store import steering
    from workers.views.status import usd as shown

    cap = required_budget(usd)
    with open_store() as (_, store):
        batch = full_id(store, batch)
        with store.write() as connection:
            steering.set_budget(connection, batch, cap)
        info(f"{batch}: its budget is {shown(cap)}")


def retry(
    batch: BatchId,
    budget: Annotated[
        float | None,
        budget_option("A new cap, for all that the batch ever spends."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the batch to its end.")] = False,
) -> None:
    """Send again what failed or was cancelled, and nothing else."""
    from tasks.money.budgets import budget_of
    from tasks.store import control
    from workers.cli.watch import follow_to_end

    with open_store() as (settings, store):
        batch = full_id(store, batch)
        with store.write() as connection:
            number = control.retry(connection, batch, budget=budget_of(budget))
        info(f"{batch}: {number} requests are sent again")
        if wait:
            raise typer.Exit(follow_to_end(store, settings, batch))
