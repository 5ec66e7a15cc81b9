"""`waybill status`: the progress of a batch, or of the newest batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.batch_ids import full_id
from workers.cli.exit_codes import ExitCode
from workers.cli.output import info, show, write_json
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.store.engine import Store


def status(
    batch: Annotated[
        str | None,
        typer.Argument(help="The batch id, how it begins, or its name; without it, the newest batches."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow a batch, the newest by default.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show done, failed, in flight, cost so far and projected, rate, ETA, and each model's part."""
    from tasks.store import progress
    from workers.cli.watch import follow_to_end

    with open_store() as (settings, store):
        batch = None if batch is None else full_id(store, batch)
        if watch:
            with store.read() as connection:
                newest = progress.snapshot(connection, batch)
            raise typer.Exit(follow_to_end(store, settings, newest.batch_id))
        if batch is None:
            _show_list(store, as_json=json)
        else:
            _show_batch(store, settings, batch, as_json=json)
    raise typer.Exit(ExitCode.DONE)


def _show_batch(store: Store, settings: Settings, batch_id: str, *, as_json: bool) -> None:
    from tasks.store.health.waits import WaitRules
    from workers.views.batch_report import read_report
    from workers.views.status import batch_view

    report = read_report(store, batch_id, WaitRules.of(settings))
    if as_json:
        write_json(report.to_dict())
    else:
        show(batch_view(report))


def _show_list(store: Store, *, as_json: bool) -> None:
    from tasks.store import progress
    from tasks.store.routers import canary_stats
    from workers.views.batch_report import progress_to_dict
    from workers.views.canary import canary_line, canary_to_dict
    from workers.views.status import batches_table

    with store.read() as connection:
        newest = progress.list_batches(connection, loop=True)
        running = canary_stats.read(connection)
    if as_json:
        canary = canary_to_dict(running) if running else None
        write_json({"batches": [progress_to_dict(one) for one in newest], "canary": canary})
    elif newest:
        show(batches_table(newest))
        if running:
            show("\n" + canary_line(running), highlight=False)
    else:
        info("the store holds no batch yet: `waybill submit FILE`")
