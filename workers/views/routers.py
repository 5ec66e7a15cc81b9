"""The routers of the store for a terminal: versions, how they compare, and what happened to their roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.evaluation.shift_estimates import shift_notes
from tasks.store.routers.canary_stats import RunningCanary
from tasks.store.routers.versions import Version
from workers.views.canary import canary_view
from workers.views.status import time_text

#: the newest versions and events that fit a screen
_VERSIONS, _EVENTS = 10, 5


def routers_view(
    stored: Sequence[Version],
    events: Sequence[tuple[int, str, str, str]],
    running: RunningCanary | None = None,
    *,
    is_all: bool = False,
) -> RenderableType:
    """Return the versions, newest first, what is known of them, the canary, and the events of the roles.

    It fits a screen: it has the newest versions and events, and those versions in a role, of which it has the
    details; with `is_all` it has all versions and more events.
    """
    shown = [one for place, one in enumerate(stored) if is_all or one.role or place < _VERSIONS]
    detailed = [one for place, one in enumerate(stored) if is_all or one.role or not place]
    details = [Text(line) for one in detailed for line in _details(one)]
    happened = [
        Text(f"{time_text(at)}  {action:<11} {version}  {why}")
        for at, action, version, why in (events if is_all else events[:_EVENTS])
    ]
    canary = [Text(), canary_view(running)] if running else []
    older = _older(len(stored) - len(shown), len(shown) - len(detailed))
    return Group(_table(shown), *older, Text(), *details, *canary, *([Text(), *happened] if events else []))


def _older(hidden: int, brief: int) -> list[Text]:
    """Return the line on the versions that are not shown, or without their details."""
    if hidden:
        return [Text(f"… {hidden:,} older: --all shows them, and the details of each")]
    return [Text("--all shows the details of each")] if brief else []


def _table(stored: Sequence[Version]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("version", "role", "stored (UTC)", "models", "prompts", "held-out gain"):
        # A version is copied, and a number must not be misread: nothing is cut.
        table.add_column(name, justify="right" if name in ("models", "prompts") else "left", no_wrap=True)
    for one in stored:
        role = f"{one.role} {one.share:.0%}" if one.role == "canary" else one.role or ""
        counts = (str(len(one.figures["models"])), f"{one.figures['prompts']:,}")
        table.add_row(*map(Text, (one.version, role, time_text(one.created_at), *counts, _held_out(one))))
    return table


def _held_out(one: Version) -> str:
    """Return the gain over what routed at its time, on held-out prompts."""
    comparison = one.figures.get("comparison")
    return _gain(comparison, "gain") if comparison else "not compared"


def _details(one: Version) -> Iterator[str]:
    """Yield what is known of a version beside its row: origin, comparison, the training's two estimates."""
    yield f"{one.version}  from {one.source}"
    comparison = one.figures.get("comparison")
    if comparison:
        cost, logged = comparison.get("challenger_cost"), comparison.get("off_policy")
        dollars = "" if cost is None else f" at ${1000 * cost:.3f} per 1,000 prompts"
        score = f"score {comparison['challenger_score']:.4f}{dollars}"
        yield f"{one.version}  {score}, {_compared_with(comparison)}"
        if logged:
            gain = _gain(logged["gain_doubly_robust"], "value")
            yield f"{one.version}  gain on logged batches {gain}"
    yield from (f"{one.version}  {note}" for note in shift_notes(one.figures))


def _compared_with(comparison: Mapping[str, object]) -> str:
    champion, single = comparison.get("champion"), comparison.get("best_single")
    other = f"router {champion}" if champion else f"always {single}" if single else "what routed then"
    return f"compared with {other} on {comparison['prompts']} held-out prompts"


def _gain(estimate: Mapping[str, float], key: str) -> str:
    return f"{estimate[key]:+.4f} ± {estimate['standard_error']:.4f}"
