"""The cost estimate of a batch, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from tasks.submission.estimate_values import MIX, Estimate, ModelEstimate
from workers.views.familiarity import unfamiliar_texts
from workers.views.parameters import dropped_texts


def estimate_table(estimate: Estimate) -> RenderableType:
    """Return the counts of a file, the routing mix and its cost, and the cost if one model answered all."""
    bad_lines = ", ".join(f"{code} ×{number}" for code, number in estimate.invalid.items()) or "none"
    lines = [
        f"{estimate.requests:,} requests, {estimate.duplicates:,} of them duplicates; bad lines: {bad_lines}",
        *(
            [f"{estimate.random_duplicates:,} duplicates with temperature above 0 share one answer"]
            if estimate.random_duplicates
            else []
        ),
        f"about {estimate.input_tokens:,} input tokens; {estimate.router}"
        + (f", policy {estimate.policy}" if estimate.policy else ""),
        *_mix_texts(estimate),
        *_score_texts(estimate),
        *(
            [f"exploration: about {estimate.extra_calls:,} more calls, counted below"]
            if estimate.extra_calls
            else []
        ),
        *_unfamiliar_texts(estimate),
        *(f"warning: {sentence}" for sentence in estimate.warnings),
        *dropped_texts(estimate.dropped),
        "",
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", overflow="fold")
    for name in ("requests", "expected\ncost", "at worst", "tokens of an answer"):
        table.add_column(name, justify="right", no_wrap=True)
    if estimate.mix is not None:
        for model, number in sorted(estimate.mix.models.items()):
            table.add_row(f"to {model}", f"{number:,}", "", "", "")
        number = sum(estimate.mix.models.values())
        table.add_row("routed", f"{number:,}", _usd(estimate.mix.cost_usd), _usd(estimate.mix.worst_usd), "")
    for one in estimate.models:
        costs = _usd(one.cost_usd), _usd(one.worst_usd)
        best = ", best single" if one.model == estimate.best_single else ""
        table.add_row(f"all to {one.model}{best}", "", *costs, _tokens(one))
    return Group(*lines, table)


def _unfamiliar_texts(estimate: Estimate) -> list[str]:
    """Return a line on the prompts unlike the labels, with what to do if they are many."""
    familiarity = estimate.mix.familiarity if estimate.mix else None
    text, warning = unfamiliar_texts(familiarity, "FILE")
    return [warning or text] if text else []


def _mix_texts(estimate: Estimate) -> list[str]:
    """Return what the mix is: the router's choices as of now, which is no promise."""
    if estimate.mix is None or not estimate.policy:
        return []
    return [MIX]


def _score_texts(estimate: Estimate) -> list[str]:
    """Return a line on the predicted quality, so that policies can be compared by more than their cost."""
    mix = estimate.mix
    if mix is None or mix.score is None or mix.best_single_score is None:
        return []
    return [f"predicted score {mix.score:.4f}, of the best single model {mix.best_single_score:.4f}"]


def _tokens(one: ModelEstimate) -> str:
    if one.answer_tokens is None:
        return "" if one.assumed_tokens is None else f"{one.assumed_tokens:,} assumed"
    expected, low, high = one.answer_tokens
    return f"{expected:,.0f} ({low:,.0f} to {high:,.0f})"


def _usd(dollars: float) -> str:
    return f"${dollars:,.4f}"
