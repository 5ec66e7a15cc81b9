"""The running canary beside the champion: for a terminal in 80 columns, in one line, and as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.monitoring.canary import Arm, SampleStats
from router_core.monitoring.canary_verdict import ENOUGH, Signal, signals, verdict
from tasks.store.routers.canary_stats import RunningCanary
from workers.views.status import time_text

_TITLES = {"failures": "failed", "cost": "cost of one", "quality": "judged score"}


def canary_view(running: RunningCanary) -> RenderableType:
    """Return the results of both routers with their standard errors, the state of the test, the verdict."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "canary", "champion", f"test (worse from {ENOUGH})"):
        table.add_column(name, no_wrap=True)
    for name, *counts in count_rows(running):
        table.add_row(name, *(f"{count:,}" for count in counts), "")
    for signal in signals(running.canary, running.champion):
        table.add_row(*signal_texts(signal))
    since = f"since {time_text(running.roles.since)} UTC"
    head = f"canary {running.roles.canary}: {_share(running)} {since}"
    return Group(Text(head), table, Text(verdict_of(running)))


def count_rows(running: RunningCanary) -> tuple[tuple[str, int, int], ...]:
    """Return what is counted, of the canary and of the champion."""
    canary, champion = running.canary, running.champion
    return (
        ("requests", canary.failures.n, champion.failures.n),
        ("batches", canary.batches, champion.batches),
        ("judged", canary.quality.n, champion.quality.n),
    )


def signal_texts(signal: Signal) -> tuple[str, str, str, str]:
    """Return what is compared, both figures with their standard errors, and the state of the test."""
    canary, champion = (_figure(signal.name, one) for one in (signal.canary, signal.champion))
    return _TITLES[signal.name], canary, champion, signal.text


def canary_line(running: RunningCanary) -> str:
    """Return the canary, its share and the verdict in one line."""
    requests, batches = running.canary.failures.n, running.canary.batches
    part = f"{_share(running)}, so far {requests:,} in {batches:,} batch{'es' if batches != 1 else ''}"
    return f"canary {running.roles.canary}: {part}. {verdict_of(running)}"


def verdict_of(running: RunningCanary) -> str:
    """Return in a sentence or two whether the canary is worse, and what the test waits for."""
    return verdict(running.canary, running.champion)


def canary_to_dict(running: RunningCanary) -> dict[str, Any]:
    """Return plain values for JSON; costs in dollars, times in ms since 1970."""
    current = running.roles
    return {
        "version": current.canary,
        "champion": current.champion,
        "share": current.share,
        "since": current.since,
        "judged_at": running.judged_at,
        "arms": {"canary": _arm_to_dict(running.canary), "champion": _arm_to_dict(running.champion)},
        "test": {
            one.name: {"state": one.state, "ratio": one.ratio, "worse_from": ENOUGH, "least": one.least}
            for one in signals(running.canary, running.champion)
        },
        "verdict": verdict_of(running),
    }


def _arm_to_dict(arm: Arm) -> dict[str, Any]:
    samples = {"failures": arm.failures, "cost_usd": arm.cost, "quality": arm.quality}
    return {"batches": arm.batches} | {
        name: asdict(one) | {"standard_error": one.standard_error} for name, one in samples.items()
    }


def _share(running: RunningCanary) -> str:
    return f"{running.roles.share:.1%} of the requests".replace(".0%", "%")


def _figure(name: str, sample: SampleStats) -> str:
    """Return a mean with its standard error, a dash for an empty sample."""
    if not sample.n:
        return "-"
    error = sample.standard_error
    if name == "failures":
        return f"{sample.mean:.1%}" + ("" if error is None else f" ± {100 * error:.1f}")
    if name == "cost":
        return f"${sample.mean:.6f}" + ("" if error is None else f" ± {error:.6f}")
    return f"{sample.mean:.3f}" + ("" if error is None else f" ± {error:.3f}")
