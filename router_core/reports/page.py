"""The HTML report of an evaluation: one page with its plots embedded, which loads nothing from elsewhere."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import StrategyResult
from router_core.evaluation.tables import format_dollars, format_number, label_of
from router_core.reports.page_template import PAGE

#: The plots in their order on the page, with their captions.
_CAPTIONS = {
    "cost_quality": "Each dot is one weight of the cost; the line is the non-decreasing convex hull."
    " The dashed line is the best single model's quality.",
    "model_mix": "Which models each way of choosing takes.",
    "tau": "Policy cargo: below tau the pairwise classifier decides between the highest two.",
    "gap": "How far apart the two highest predicted scores are. The dotted line is the router's tau.",
    "calibration": "Deciles of what was said against what came out; on the diagonal they agree.",
    "confusion": "Prompts by labelled category and the one that the detector told.",
}
#: The plots that take the whole width of the page.
_WIDE = ("cost_quality", "model_mix", "calibration")


def page(evaluation: Evaluation, plots: Mapping[str, bytes]) -> str:
    """Return the page as HTML.

    Args:
        evaluation: The evaluation.
        plots: PNG files by the names that `router_core.reports.plots.plots` gives them.
    """
    router = evaluation.router
    version = f"router {router.version}" if router.version else "cross-validated router"
    return PAGE.substitute(
        title=escape(f"Evaluation of {version}"),
        subtitle=escape(
            f"{evaluation.data.used:,} prompts, {len(router.models)} models;"
            f" best single model of the training: {router.best_single}"
        ),
        notes="".join(_notes(evaluation)),
        cards="".join(_cards(evaluation)),
        strategies=_strategies(evaluation.strategies),
        trades=_trades(evaluation.trades),
        curves=_curves(evaluation),
        plots="".join(_plot(name, plots[name]) for name in _CAPTIONS if name in plots),
        categories=_categories(evaluation),
        wins=_wins(evaluation),
    )


def _notes(evaluation: Evaluation) -> Iterable[str]:
    for sentence in evaluation.verdicts.values():
        yield f'<p class="verdict">{escape(sentence)}</p>'
    for index, note in enumerate(evaluation.data.notes()):
        kind = "warning" if index == 0 and evaluation.data.flagged else "note"
        yield f'<p class="{kind}">{escape(note)}.</p>'
    for note in evaluation.router.estimates:
        yield f'<p class="note">{escape(f"Gain estimated in training, {note}")}.</p>'
    for note in evaluation.findings():
        yield f'<p class="note">{escape(note)}.</p>'
    if evaluation.router.conservative_policies:
        policies = ", ".join(evaluation.router.conservative_policies)
        note = f"No deviation from the best single model is significant under: {policies}"
        yield f'<p class="note">{escape(note)}.</p>'


def _cards(evaluation: Evaluation) -> Iterable[str]:
    quality, saving = evaluation["router: quality"], evaluation["router: saving"]
    yield _card("Headroom, policy quality", _percent(quality.headroom, signed=True))
    yield _card("Gain, policy saving", _estimate(saving.gain, signed=True))
    yield _card("Relative cost, policy saving", _estimate(saving.relative_cost, digits=3))
    equal = next((one for one in evaluation.strategies if one.name == "router: equal quality"), None)
    if equal is not None:
        yield _card("Cost at equal quality", _estimate(equal.relative_cost, digits=3))
        yield _card("AIQ", _estimate(evaluation.curves["router"].aiq))


def _card(name: str, value: str) -> str:
    return f'<div class="card"><div class="value">{value}</div><div>{escape(name)}</div></div>'


def _strategies(results: Sequence[StrategyResult]) -> str:
    head = (
        "",
        "quality",
        "headroom",
        "best-set top-1",
        "strict top-1",
        "$ per 1,000",
        "relative cost",
        "asked",
    )
    rows = [
        (
            label_of(result),
            _estimate(result.quality),
            _percent(result.headroom, signed=True),
            _percent(result.best_set_top1),
            _percent(result.strict_top1),
            escape(format_dollars(result.cost.value)),
            _estimate(result.relative_cost, digits=3),
            f"{result.fallback_share:.0%}",
        )
        for result in results
    ]
    return _table(head, rows)


def _trades(results: Sequence[StrategyResult]) -> str:
    if not results:
        return ""
    head = ("option", "quality", "gain", "$ per 1,000", "relative cost")
    rows = [
        (
            result.name,
            _estimate(result.quality),
            _estimate(result.gain, signed=True),
            escape(format_dollars(result.cost.value)),
            _estimate(result.relative_cost, digits=3),
        )
        for result in results
    ]
    return f"<h2>Quality for cost</h2>{_table(head, rows)}"


def _curves(evaluation: Evaluation) -> str:
    rows = [
        (name, _estimate(curve.aiq), format_number(curve.reached_at, "never"))
        for name, curve in evaluation.curves.items()
    ]
    tables = [_table(("curve", "AIQ", "cost at equal quality, same prompts"), rows)] if rows else []
    if evaluation.two_models:
        metrics = next(iter(evaluation.two_models.values()))
        head = ("two models", *(metric.upper().replace("_", " ") for metric in metrics))
        metric_rows = [
            (router, *map(_estimate, estimates.values()))
            for router, estimates in evaluation.two_models.items()
        ]
        tables.append(_table(head, metric_rows))
    return "".join(tables)


def _categories(evaluation: Evaluation) -> str:
    head = (
        "category",
        "prompts",
        "best single",
        "gain, quality",
        "gain, saving",
        "relative cost, saving",
        "oracle",
    )
    rows = []
    for category, results in evaluation.by_category.items():
        by_name = {result.name: result for result in results}
        quality, saving = by_name["router: quality"], by_name["router: saving"]
        rows.append(
            (
                category,
                f"{by_name['best single'].prompts:,}",
                _estimate(by_name["best single"].quality),
                _estimate(quality.gain, signed=True),
                _estimate(saving.gain, signed=True),
                _estimate(saving.relative_cost, digits=3),
                _estimate(by_name["oracle"].quality),
            )
        )
    return _table(head, rows)


def _wins(evaluation: Evaluation) -> str:
    routers = [result for result in evaluation.strategies if result.name.startswith("router: ")]
    head = ("against", *(result.name for result in routers))
    rows = [
        (
            model,
            *(
                f"{result.win_rates[model].paper.value:.1%} / {_percent(result.win_rates[model].fair)}"
                for result in routers
            ),
        )
        for model in evaluation.router.models
    ]
    return _table(head, rows)


def _plot(name: str, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    kind = "wide" if name in _WIDE else ""
    caption = escape(_CAPTIONS[name])
    return (
        f'<figure class="{kind}"><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as HTML; in each row the first cell is plain text, the others are HTML already."""
    header = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr{' class=own' if row[0].startswith('router') else ''}><th>{escape(row[0])}</th>"
        + "".join(f"<td>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>'


def _estimate(estimate: EstimateWithError, *, signed: bool = False, digits: int = 4) -> str:
    if math.isnan(estimate.value):
        return "–"
    value = f"{estimate.value:+.{digits}f}" if signed else f"{estimate.value:.{digits}f}"
    return _with_error(value, f"{estimate.error:.{digits}f}", estimate)


def _percent(estimate: EstimateWithError, *, signed: bool = False) -> str:
    if math.isnan(estimate.value):
        return "–"
    value = f"{estimate.value:+.1%}" if signed else f"{estimate.value:.1%}"
    return _with_error(value, f"{estimate.error:.1%}", estimate)


def _with_error(value: str, error: str, estimate: EstimateWithError) -> str:
    return value if math.isnan(estimate.error) else f"{value} <small>± {error}</small>"
