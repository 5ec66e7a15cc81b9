"""`waybill cancel` and `waybill retry`."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.output import info
from workers.cli.store_context import open_store


def cancel(batch: Annotated[str, typer.Argument(help="The batch id.")]) -> None:
    """Stop a batch: nothing new is called, calls in flight end and are recorded."""
    from tasks.store import control

    with open_store() as (_, store):
        with store.write() as connection:
            number = control.cancel(connection, batch)
        info(f"{batch}: {number} requests cancelled")


def retry(
    batch: Annotated[str, typer.Argument(help="The batch id.")],
    budget: Annotated[
        float | None,
        typer.Option(min=0, metavar="USD", help="A new cap, for all that the batch ever spends."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the batch to its end.")] = False,
) -> None:
    """Send again what failed or was cancelled, and nothing else."""
    from router_core.pricing import micro_usd
    from tasks.store import control
    from workers.cli.watch import follow_to_end

    with open_store() as (_, store):
        with store.write() as connection:
            number = control.retry(connection, batch, budget=micro_usd(budget))
        info(f"{batch}: {number} requests are sent again")
        if wait:
            raise typer.Exit(follow_to_end(store, batch))
