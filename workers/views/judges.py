"""The quality of judges for a terminal: a row for each judge, and what the columns mean."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.judging.judge_quality import JudgeQuality, QualityReport

_COLUMNS = (
    "pairs", "garbage", "flips", "longer\nwins", "due", "agrees", "own\nwins", "due", "people", "kappa",
)  # fmt: skip
_LEGEND = {
    "pairs": "pairs of answers that it judged",
    "garbage": "replies that were no verdict",
    "flips": "pairs whose winner changed with the order of the answers",
    "longer wins": "how often the longer answer won; due: how often it should have",
    "agrees": "how often its winner is the one that all judges together make probable (three or more)",
    "own wins": "how often answers of its own vendor's models won; due: how often they should have",
    "people": "how often its winner is that of people (`waybill labels import`)",
    "kappa": "agreement with each other judge beyond chance: 1 is full, 0 is chance",
    "-": "too few verdicts to say",
}


def judges_view(report: QualityReport) -> RenderableType:
    """Return the table of the judges with its legend."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("judge", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in report.judges:
        table.add_row(one.judge, *_cells(one))
    legend = Table.grid(padding=(0, 2))
    for name, meaning in _LEGEND.items():
        legend.add_row(Text(name, style="dim"), Text(meaning, style="dim"))
    return Group(table, "", legend)


def _cells(one: JudgeQuality) -> list[str]:
    shares = (
        one.invalid_replies.value,
        one.order_flips.value,
        one.length_bias.observed,
        one.length_bias.expected,
        one.agreement.value,
        one.self_preference.observed,
        one.self_preference.expected,
        one.human_agreement.value,
    )
    kappa = "-" if one.mean_kappa is None else f"{one.mean_kappa:.2f}"
    return [f"{one.pairs:,}", *map(_percent, shares), kappa]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
