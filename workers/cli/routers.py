"""`waybill promote` and `waybill routers`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.opening import opened
from workers.cli.speaking import data, put, put_json, say

if TYPE_CHECKING:
    from tasks.store.routers.versions import Version


def promote(
    version: Annotated[
        str | None, typer.Argument(help="A version of `waybill routers`, or a router's directory.")
    ] = None,
    if_better: Annotated[
        bool, typer.Option("--if-better", help="Only if it beat the champion on held-out prompts.")
    ] = False,
    canary: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.9, metavar="SHARE", help="Try it on this share of the requests first."),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="End the canary, or go back to the champion before.")
    ] = False,
) -> None:
    """Choose the router that routes; workers take it up with their next chunk."""
    from tasks.errors import UsageError
    from tasks.store.routers import roles
    from workers import promotion

    if rollback == (version is not None):
        raise UsageError("name a version or a directory, or else --rollback")
    with opened() as (settings, store):
        if version is None:
            with store.write() as connection:
                current = roles.roll_back(connection, reason="asked")
            put(current)
            say(f"{current} routes")
            return
        chosen = promotion.resolve(store, version)
        promotion.promote(store, settings, chosen, if_better=if_better, canary=canary)
        put(chosen)
        say(f"{chosen} routes" + (f" {canary:.1%} of the requests" if canary else ""))


def routers(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the routers of the store: role, training, figures; then what happened to the roles."""
    from tasks.store.routers import roles, versions

    with opened() as (_, store), store.read() as connection:
        found = versions.list_versions(connection)
        events = roles.events(connection)
    if json:
        names = ("at", "action", "version", "reason")
        put_json(
            {
                "routers": [asdict(one) for one in found],
                "events": [dict(zip(names, event, strict=True)) for event in events],
            }
        )
    elif found:
        data().print(_table(found))
        for at, action, version, reason in events:
            data().print(f"{_time(at)}  {action:<11} {version}  {reason}", highlight=False, markup=False)
    else:
        say("the store holds no router: `waybill promote DIR` puts one there")


def _table(found: list[Version]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in ("version", "role", "stored", "models", "prompts", "gain on the champion", "from"):
        table.add_column(column)
    for one in found:
        role = f"{one.role} {one.share:.0%}" if one.role == "canary" else one.role or ""
        gain = _gain(one)
        cells = (one.version, role, _time(one.created_at), str(len(one.figures["models"])))
        table.add_row(*map(Text, (*cells, str(one.figures["prompts"]), gain, one.source)))
    return table


def _gain(one: Version) -> str:
    comparison = one.figures.get("comparison")
    return f"{comparison['gain']:+.4f} ± {comparison['standard_error']:.4f}" if comparison else "not compared"


def _time(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
