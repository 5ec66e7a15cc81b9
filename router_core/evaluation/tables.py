"""Tables of an evaluation in Markdown, for a terminal and for documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import StrategyResult

_HEAD = (
    "",
    "quality",
    "headroom",
    "best-set top-1",
    "strict top-1",
    "cost per 1,000",
    "relative cost",
    "classifier asked",
)


def markdown(evaluation: Evaluation) -> str:
    """Return the notes, the main table, and what else fits in a few lines."""
    parts = [
        f"**{note}**" if index == 0 and evaluation.data.flagged else note
        for index, note in enumerate(evaluation.data.notes())
    ]
    parts += ["", strategies_table(evaluation.strategies)]
    if evaluation.curves:
        parts += ["", curves_table(evaluation)]
    if evaluation.two_models:
        parts += ["", two_models_table(evaluation)]
    parts += ["", wins_table(evaluation)]
    return "\n".join(parts).strip("\n")


def strategies_table(lines: Iterable[StrategyResult]) -> str:
    """Return a row for each way of choosing."""
    return markdown_table(_HEAD, [_strategy_row(line) for line in lines])


def curves_table(evaluation: Evaluation) -> str:
    """Return AIQ and the cost at equal quality of each curve."""
    head = ("curve", "AIQ", "cost at equal quality, chosen on the same prompts")
    rows = [
        (name, format_estimate(curve.aiq), format_number(curve.reached_at, "never reached"))
        for name, curve in evaluation.curves.items()
    ]
    return markdown_table(head, rows)


def two_models_table(evaluation: Evaluation) -> str:
    """Return APGR and CPT, for sets of two models."""
    names = [*next(iter(evaluation.two_models.values()))]
    head = ("", *(name.upper().replace("_", " ") for name in names))
    return markdown_table(
        head, [(way, *map(format_estimate, f.values())) for way, f in evaluation.two_models.items()]
    )


def wins_table(evaluation: Evaluation) -> str:
    """Return the router's win rates against each single model: by the paper's count, and the fair one."""
    ways = [line for line in evaluation.strategies if line.name.startswith("router")]
    head = ("win rate against (paper's / fair)", *(line.name for line in ways))
    rows = [
        (
            model,
            *(
                f"{line.win_rates[model].paper.value:.1%} / {_percent(line.win_rates[model].fair)}"
                for line in ways
            ),
        )
        for model in evaluation.router.models
    ]
    return markdown_table(head, rows)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    ruled = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in ruled)


def _strategy_row(line: StrategyResult) -> tuple[str, ...]:
    return (
        line.name,
        format_estimate(line.quality),
        _percent(line.headroom, signed=True),
        _percent(line.best_set_top1),
        _percent(line.strict_top1),
        format_dollars(line.cost.value),
        format_estimate(line.relative_cost, digits=3),
        f"{line.fallback_share:.1%}",
    )


def format_estimate(figure: EstimateWithError, *, digits: int = 4) -> str:
    """Return a value with its error."""
    return f"{format_number(figure.value, digits=digits)} ± {format_number(figure.error, digits=digits)}"


def format_number(value: float, unknown: str = "?", *, digits: int = 3) -> str:
    """Return a number, or what stands for an unknown one."""
    return f"{value:.{digits}f}" if value == value else unknown


def format_dollars(value: float) -> str:
    """Return dollars to three significant digits."""
    if value != value:
        return "?"
    return f"${value:,.2f}" if value >= 10 else f"${value:.3g}"


def _percent(figure: EstimateWithError, *, signed: bool = False) -> str:
    if figure.value != figure.value:
        return "?"
    value = f"{figure.value:+.1%}" if signed else f"{figure.value:.1%}"
    return f"{value} ± {figure.error:.1%}" if figure.error == figure.error else value
