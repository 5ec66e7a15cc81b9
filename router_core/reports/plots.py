"""Plots of an evaluation as PNG; matplotlib is imported only here, and only when a plot is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from router_core.errors import ConfigurationError
from router_core.evaluation.cost_quality_curves import SINGLE_MODELS
from router_core.evaluation.metrics.calibration import Calibration
from router_core.evaluation.metrics.curves import hull
from router_core.evaluation.result import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DARK, _GREY, _BLUE, _ORANGE, _GREEN = "#1f2933", "#9aa5b1", "#1f6feb", "#d9822b", "#2f9e63"
_PALETTE = (
    _BLUE, _ORANGE, _GREEN, "#8e5bd0", "#c0392b", "#7f8c8d", "#16a2b8", "#b5a300", "#e377c2", "#5b6b7a",
)  # fmt: skip
_DPI = 160


def plots(evaluation: Evaluation) -> dict[str, bytes]:
    """Return the PNG file of each plot that the evaluation has values for, by name.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    drawn = {name: draw(evaluation) for name, draw in _PLOTS.items()}
    return {name: _png(figure) for name, figure in drawn.items() if figure is not None}


def cost_quality(evaluation: Evaluation) -> Figure | None:
    """Plot the cost-quality curves of router and kNN; single models, policies and baselines are points."""
    if not evaluation.curves:
        return None
    figure, (axes,) = _figure(7.2, 4.6)
    single = evaluation.curves[SINGLE_MODELS]
    floor = min(single.qualities)
    for name, colour in (("kNN", _ORANGE), ("router", _BLUE)):
        curve = evaluation.curves[name]
        axes.plot(curve.costs, curve.qualities, ".", color=colour, alpha=0.35, markersize=4)
        costs, qualities = hull(np.array(curve.costs), np.array(curve.qualities), floor=floor)
        axes.plot(costs[1:], qualities[1:], color=colour, label=f"{name}, AIQ {curve.aiq.value:.4f}")
    axes.plot(single.costs, single.qualities, "o", color=_GREY, label="single models", markersize=5)
    _name_points(axes, single.points, single.costs, single.qualities)
    for name, marker in (("router: quality", "*"), ("router: saving", "P"), ("random", "x"), ("oracle", "^")):
        cost, quality = evaluation[name].cost.value, evaluation[name].quality.value
        colour = _BLUE if name.startswith("router") else _DARK
        axes.plot(cost, quality, marker, color=colour, label=name, markersize=9, linestyle="")
    axes.axhline(evaluation["best single"].quality.value, color=_GREY, linewidth=0.8, linestyle="--")
    _dollars(axes, single.costs)
    _label(axes, "cost of 1,000 prompts, dollars", "mean score", "Cost and quality")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def accuracy_against_tau(evaluation: Evaluation) -> Figure | None:
    """Plot the accuracy of policy cargo, and the share that the classifier decides, against tau."""
    if not evaluation.thresholds:
        return None
    figure, (axes,) = _figure(6.0, 3.8)
    taus = [point.tau for point in evaluation.thresholds]
    series = (
        ("accuracy", "right, all prompts", _BLUE, "-"),
        ("selection_accuracy", "right, where the scores decide", _GREEN, "-"),
        ("classifier_share", "classifier asked", _ORANGE, "--"),
    )
    for name, label, colour, style in series:
        axes.plot(
            taus, [getattr(point, name) for point in evaluation.thresholds], style, color=colour, label=label
        )
    _mark_tau(axes, evaluation)
    axes.set_ylim(-0.02, 1.02)
    _percent(axes, "y")
    _label(axes, "tau", "share of prompts", "Accuracy and classifier use (policy cargo)")
    axes.legend(frameon=False, fontsize=8)
    return figure


def gaps(evaluation: Evaluation) -> Figure | None:
    """Plot the histogram of the gaps between the two highest predicted scores."""
    if not evaluation.gaps:
        return None
    figure, (axes,) = _figure(6.0, 3.8)
    axes.hist(evaluation.gaps, bins=40, color=_BLUE, alpha=0.85)
    _mark_tau(axes, evaluation)
    _label(axes, "gap of the two highest predicted scores", "prompts", "Gaps")
    return figure


def calibration(evaluation: Evaluation) -> Figure | None:
    """Plot the reliability diagrams of predicted scores and of the pairwise classifier."""
    diagrams = [
        (evaluation.score_calibration, "predicted score", "mean score", "Predicted scores"),
        (evaluation.pairwise_calibration, "P(first beats second)", "share of duels won", "Classifier"),
    ]
    shown = [diagram for diagram in diagrams if diagram[0].count]
    if not shown:
        return None
    figure, all_axes = _figure(3.9 * len(shown), 3.8, columns=len(shown))
    for axes, (means, x, y, title) in zip(all_axes, shown, strict=True):
        _reliability_diagram(axes, means)
        _label(axes, x, y, title)
    return figure


def confusion(evaluation: Evaluation) -> Figure | None:
    """Plot the confusion matrix of labelled and detected categories, coloured by shares of each row."""
    matrix = evaluation.confusion
    if matrix is None or len(matrix.detected) > 30:
        return None
    counts = np.array(matrix.counts, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axes,) = _figure(1.9 + 0.62 * len(matrix.detected), 1.5 + 0.46 * len(matrix.labelled))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(matrix.detected)), matrix.detected, rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(len(matrix.labelled)), matrix.labelled, fontsize=8)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.55 else _DARK
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, fontsize=8)
    _label(axes, "detected", "labelled", f"Categories, {matrix.accuracy:.0%} detected")
    axes.grid(False)
    return figure


def model_mix(evaluation: Evaluation) -> Figure | None:
    """Plot the share of the prompts that each model gets under each strategy."""
    results = [result for result in evaluation.strategies if not result.name.startswith("best single")]
    models = evaluation.router.models
    figure, (axes,) = _figure(7.2, 1.4 + 0.3 * len(results))
    left = np.zeros(len(results))
    for index, model in enumerate(models):
        shares = np.array([result.model_shares[model] for result in results])
        hatch = "" if index < len(_PALETTE) else "///"
        colour = _PALETTE[index % len(_PALETTE)]
        axes.barh(range(len(results)), shares, left=left, color=colour, hatch=hatch, height=0.72, label=model)
        left += shares
    axes.set_yticks(range(len(results)), [result.name for result in results], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(False)
    _percent(axes, "x")
    _label(axes, "share of prompts", "", "Model mix")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


_PLOTS: dict[str, Callable[[Evaluation], Figure | None]] = {
    "cost_quality": cost_quality,
    "tau": accuracy_against_tau,
    "gap": gaps,
    "calibration": calibration,
    "confusion": confusion,
    "model_mix": model_mix,
}


def _figure(width: float, height: float, *, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a new figure with axes side by side, without pyplot and its global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("plots need matplotlib: pip install 'waybill[report]'") from None
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, index + 1) for index in range(columns)]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without the software version in the file, the same evaluation gives the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x, fontsize=9, color=_DARK)
    axes.set_ylabel(y, fontsize=9, color=_DARK)
    axes.set_title(title, fontsize=10.5, color=_DARK, loc="left", fontweight="bold")
    axes.tick_params(labelsize=8, colors=_DARK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _percent(axes: Axes, which: str) -> None:
    from matplotlib.ticker import PercentFormatter

    getattr(axes, f"{which}axis").set_major_formatter(PercentFormatter(1.0, decimals=0))


def _mark_tau(axes: Axes, evaluation: Evaluation) -> None:
    tau = evaluation.router.tau
    axes.axvline(tau, color=_DARK, linewidth=0.9, linestyle=":")
    # x in data coordinates, y in axes coordinates: the label is at the top whatever the data are.
    transform = axes.get_xaxis_transform()
    axes.text(tau, 0.99, f" tau {tau:.3g}", transform=transform, fontsize=8, color=_DARK, va="top")


def _reliability_diagram(axes: Axes, means: Calibration) -> None:
    both = [*means.predicted, *means.observed]
    low, high = min(both), max(both)
    padding = 0.06 * (high - low) or 0.05
    axes.plot([low, high], [low, high], color=_GREY, linewidth=0.9, linestyle="--")
    axes.plot(means.predicted, means.observed, "o-", color=_BLUE, markersize=5)
    axes.set_xlim(low - padding, high + padding)
    axes.set_ylim(low - padding, high + padding)
    axes.grid(color="#e4e7eb", linewidth=0.6)


def _dollars(axes: Axes, costs: tuple[float, ...]) -> None:
    """Format the x axis as dollars, on a logarithmic scale unless something costs nothing."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if min(costs) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value:g}"))


def _name_points(axes: Axes, names: tuple[str, ...], x: tuple[float, ...], y: tuple[float, ...]) -> None:
    """Write names beside points: to the left of points in the dearer half, to the right of the others."""
    known = [cost for cost in x if np.isfinite(cost)]
    geometric_middle = (min(known) * max(known)) ** 0.5 if known else 0.0
    for name, cost, quality in zip(names, x, y, strict=True):
        if np.isfinite(cost) and np.isfinite(quality):
            left = cost > geometric_middle
            axes.annotate(
                _short(name),
                (cost, quality),
                xytext=(-6 if left else 6, -3),
                textcoords="offset points",
                ha="right" if left else "left",
                fontsize=6,
                color=_DARK,
            )


def _short(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return last if len(last) <= 24 else last[:23] + "…"
