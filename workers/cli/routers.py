"""`waybill promote` and `waybill routers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.output import info, stdout_console, write, write_json
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.store.routers.versions import Version


#: The columns of a version's comparison with the champion of its time.
_COMPARISON_COLUMNS = ("gain on the champion", "score", "per 1,000", "gain on logged batches")


def promote(
    version: Annotated[
        str | None, typer.Argument(help="A version of `waybill routers`, or a router's directory.")
    ] = None,
    if_better: Annotated[
        bool, typer.Option("--if-better", help="Only if it beat what routes now on held-out prompts.")
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
    from workers.routers import promotion

    if rollback == (version is not None):
        raise UsageError("name a version or a directory, or else --rollback")
    with open_store() as (settings, store):
        if version is None:
            with store.write() as connection:
                current = roles.roll_back(connection, reason="asked")
            write(current)
            info(f"{current} routes")
            return
        chosen = promotion.resolve(store, version)
        promotion.promote(store, settings, chosen, if_better=if_better, canary=canary)
        write(chosen)
        info(f"{chosen} routes" + (f" {canary:.1%} of the requests" if canary else ""))


def routers(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the routers of the store: role, training, figures, estimates; then what happened to the roles."""
    from tasks.store.routers import roles, versions

    with open_store() as (_, store), store.read() as connection:
        stored = versions.list_versions(connection)
        events = roles.events(connection)
    if json:
        names = ("at", "action", "version", "reason")
        write_json(
            {
                "routers": [asdict(one) for one in stored],
                "events": [dict(zip(names, event, strict=True)) for event in events],
            }
        )
    elif stored:
        stdout_console().print(_table(stored))
        for line in _estimates(stored):
            stdout_console().print(line, highlight=False, markup=False)
        for at, action, version, reason in events:
            stdout_console().print(
                f"{_time(at)}  {action:<11} {version}  {reason}", highlight=False, markup=False
            )
    else:
        info("the store holds no router: `waybill promote DIR` puts one there")


def _table(stored: list[Version]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in ("version", "role", "stored", "models", "prompts", *_COMPARISON_COLUMNS, "from"):
        table.add_column(column)
    for one in stored:
        role = f"{one.role} {one.share:.0%}" if one.role == "canary" else one.role or ""
        cells = (one.version, role, _time(one.created_at), str(len(one.figures["models"])))
        table.add_row(*map(Text, (*cells, str(one.figures["prompts"]), *_compared(one), one.source)))
    return table


def _estimates(stored: list[Version]) -> Iterator[str]:
    """Yield the training's two estimates of each version's gain over the best single model."""
    from router_core.evaluation.shift_estimates import shift_notes

    for one in stored:
        for note in shift_notes(one.figures):
            yield f"{one.version}  {note}"


def _compared(one: Version) -> tuple[str, ...]:
    """Return the cells of a version's comparison with the champion of its time, on held-out prompts."""
    comparison = one.figures.get("comparison")
    if not comparison:
        return "not compared", "", "", ""
    cost, logged = comparison.get("challenger_cost"), comparison.get("off_policy")
    return (
        f"{comparison['gain']:+.4f} ± {comparison['standard_error']:.4f}",
        f"{comparison['challenger_score']:.4f}",
        "" if cost is None else f"${1000 * cost:.3f}",
        _gain(logged["gain_doubly_robust"]) if logged else "",
    )


def _gain(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:+.4f} ± {estimate['standard_error']:.4f}"


def _time(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
