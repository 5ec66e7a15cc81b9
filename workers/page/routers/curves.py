"""The curves of a router's training: cost and quality, and accuracy against tau."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.page.routers.plots import (
    Line,
    Mark,
    Plot,
    path,
    ticks_of,
    with_names_apart,
    x_scale,
    y_scale,
)

#: the lines of the plot over tau: the entry of a point, what it is, and its style
_TAU_LINES = (
    ("accuracy", "right, of all prompts", "first"),
    ("selection_accuracy", "right, where the scores decide", "second"),
    ("classifier_share", "decided by the classifier", "third"),
)


def plots_of(manifest: Mapping[str, Any]) -> list[Plot]:
    """Return the plots of a router; none of one that was trained before they were recorded."""
    training = manifest.get("training", {})
    curves = training.get("curves")
    if not curves:
        return []
    plots = []
    if curves["costs_in_dollars"]:
        plots.append(_cost_and_quality(curves["single_models"], training["trials"]["cost_weight"]))
    if curves["thresholds"]:
        plots.append(_accuracy_against_tau(curves["thresholds"], manifest["settings"]["tau"]))
    return plots


def _cost_and_quality(singles: Mapping[str, Any], trials: Sequence[Mapping[str, float]]) -> Plot:
    """Return the gain on the best single model against the cost, by the weight of the cost."""
    known = {name: one for name, one in singles.items() if one["standard_error"]}
    every = [*known.values(), *trials]
    x = x_scale(1000 * one["cost"] for one in every)
    y = y_scale(one["gain"] + side * one["standard_error"] for one in every for side in (-1, 1))
    curve = sorted(trials, key=lambda one: one["cost"])
    edges = [
        [(1000 * one["cost"], one["gain"] + side * one["standard_error"]) for one in curve]
        for side in (1, -1)
    ]
    return Plot(
        title="Cost and quality",
        x_name="cost of 1,000 prompts in dollars",
        y_name="gain in score",
        x_ticks=ticks_of(x, lambda value: f"{value:.3g}"),
        y_ticks=ticks_of(y, lambda value: f"{value:.3g}"),
        lines=[
            Line(
                "the router, by the weight of the cost",
                "first",
                path(x, y, [(1000 * one["cost"], one["gain"]) for one in curve]),
            )
        ],
        band=path(x, y, [*edges[0], *reversed(edges[1])]),
        marks=with_names_apart(
            Mark(
                name,
                "single",
                x.at(1000 * one["cost"]),
                y.at(one["gain"]),
                y.at(one["gain"] - one["standard_error"]),
                y.at(one["gain"] + one["standard_error"]),
            )
            for name, one in known.items()
        ),
        zero=y.at(0.0),
    )


def _accuracy_against_tau(points: Sequence[Mapping[str, float | None]], tau: float) -> Plot:
    """Return how often the best model is chosen, and the classifier asked, against tau (policy `cargo`)."""
    taus = [one["tau"] or 0.0 for one in points]
    x, y = x_scale([*taus, tau]), y_scale([1.0])
    return Plot(
        title="Accuracy against tau",
        x_name="tau",
        y_name="share of prompts",
        x_ticks=ticks_of(x, lambda value: f"{value:.3g}"),
        y_ticks=ticks_of(y, lambda value: f"{value:.0%}"),
        lines=[
            Line(
                name,
                style,
                path(
                    x,
                    y,
                    [
                        (at, value)
                        for at, one in zip(taus, points, strict=True)
                        if (value := one[entry]) is not None
                    ],
                ),
            )
            for entry, name, style in _TAU_LINES
        ],
        upright=[(x.at(tau), f"tau {tau:.3g}")],
    )
