"""`waybill promote` and `waybill routers`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from workers.cli.output import info, show, write, write_json
from workers.cli.store_context import open_store


def promote(
    version: Annotated[
        str | None, typer.Argument(help="A version of `waybill routers`, or a router's directory.")
    ] = None,
    if_better: Annotated[
        bool, typer.Option("--if-better", help="Only if it beat what routes now on held-out prompts.")
    ] = False,
    canary: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.9, metavar="X", help="Try it on this share of the requests first."),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="End the canary, or go back to the champion before.")
    ] = False,
) -> None:
    """Choose the router that routes; workers take it up with their next chunk."""
    from tasks.errors import UsageError
    from tasks.store.routers import canary_stats, roles
    from workers.routers import promotion
    from workers.views.canary import canary_line

    if rollback == (version is not None):
        raise UsageError("name a version or a directory, or else --rollback")
    with open_store() as (settings, store):
        if version is None:
            with store.write() as connection:
                current = roles.roll_back(connection, reason="asked")
            write(current)
            info(f"rolled back: {current or 'no router'} routes")
            return
        chosen = promotion.resolve(store, version, settings)
        with store.read() as connection:
            before = canary_stats.read(connection)
        promotion.promote(store, settings, chosen, if_better=if_better, canary=canary)
        if before:
            info(f"that ended the {canary_line(before)}")
        write(chosen)
        info(f"{chosen} routes" + (f" {canary:.1%} of the requests" if canary else ""))
        if canary:
            info("`waybill routers` shows it beside the champion; upkeep rolls it back if it does worse")


def routers(
    all_: Annotated[
        bool, typer.Option("--all", help="All versions, with the figures of each, and more events.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the routers of the store: role, training, figures, estimates, the canary's test, what happened."""
    from tasks.store.routers import canary_stats, roles, versions
    from workers.views.canary import canary_to_dict
    from workers.views.routers import routers_view

    with open_store() as (_, store), store.read() as connection:
        stored = versions.list_versions(connection)
        events = roles.events(connection)
        running = canary_stats.read(connection)
    if json:
        names = ("at", "action", "version", "reason")
        write_json(
            {
                "routers": [asdict(one) for one in stored],
                "canary": canary_to_dict(running) if running else None,
                "events": [dict(zip(names, event, strict=True)) for event in events],
            }
        )
    elif stored:
        show(routers_view(stored, events, running, is_all=all_), highlight=False)
    else:
        info("the store holds no router: `waybill promote DIR` puts one there")
