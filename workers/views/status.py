"""Batches as tables and lines, for a terminal and for logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.batch_progress import Progress, Rate
from tasks.store.deletion import date_of
from tasks.store.summary import CategorySummary, ModelSummary
from tasks.wording import counted
from workers.views.batch_report import BatchReport, advice, drift_text
from workers.views.familiarity import familiarity_of, unfamiliar_text
from workers.views.health import health_lines

#: the characters of a batch's id
ID_WIDTH = 22
#: why savings are below 0: they are what was paid, less what the best single model's answers would have cost
LOST = "failed calls, which are paid, and dearer models cost more than cheaper ones saved"


def batch_view(report: BatchReport) -> RenderableType:
    """Return the whole report on a batch."""
    parts: list[RenderableType] = [facts_table(report.progress)]
    if report.models:
        parts += ["", models_table(report.models)]
    if any(category.category for category in report.categories):
        parts += ["", categories_table(report.categories)]
    if report.failures:
        reasons = ", ".join(f"{code} ×{number}" for code, number in report.failures.items())
        parts += ["", f"failures: {reasons}"]
    if report.exhausted:
        parts += ["", Text(report.exhausted, style="yellow")]
    for drift in report.drift:
        whose = f" of router {drift.version}" if len(report.drift) > 1 else ""
        parts += ["", Text(f"drift{whose}: {drift_text(drift)}")]
        if text := advice(drift):
            parts.append(Text(f"  {text}", style="yellow"))
    return Group(*parts)


def facts_table(state: Progress) -> Table:
    """Return the counts, the money and the times of a batch as a table."""
    table = Table.grid(padding=(0, 2))
    rate = state.done / state.elapsed_s if state.elapsed_s > 0 else 0.0
    rows = {
        "batch": f"{state.batch_id}  ({status_text(state)})",
        **({"name": state.name} if state.name else {}),
        **({"key": state.owner} if state.owner else {}),
        "submitted": f"{time_text(state.created_at)} UTC",
        "requests": f"{state.total:,}  duplicates {state.duplicates:,}  bad lines {state.invalid:,}"
        + (f"  reused {state.reused:,}" if state.reused else ""),
        "done": f"{state.done:,}  succeeded {state.succeeded:,}  failed {state.failed:,}"
        f"  cancelled {state.cancelled:,}",
        **({"lines": _lines(state)} if state.invalid else {}),
        "left": f"{state.in_flight:,} in flight  {state.waiting:,} waiting"
        + (f"  about {state.more_calls:,} more to come" if state.more_calls else ""),
        "routing": f"{state.routed:,} routed"
        + (f"  {state.fallbacks:,} decided by the pairwise classifier" if state.fallbacks else "")
        + (f"  {state.cache_hits:,} of {state.embedded:,} embedded before" if state.cache_hits else ""),
        "cost": cost(state),
        "time": f"{duration(state.elapsed_s)}  {rate:,.1f} requests/s",
    }
    if (familiarity := familiarity_of(state)) is not None:
        rows["unfamiliar"] = unfamiliar_text(familiarity)
    if state.invalid_answers or state.repaired:
        counts = (state.invalid_answers, state.asked_again, state.repaired)
        rows["answers"] = "{:,} invalid  {:,} asked again  {:,} repaired".format(*counts)
    for name, value in rows.items():
        table.add_row(Text(name, style="dim"), value)
    if state.data_deleted_at is not None:
        table.add_row(Text("data", style="yellow"), f"deleted on {date_of(state.data_deleted_at)}")
    elif state.archived_at is not None:
        table.add_row(Text("data", style="yellow"), f"archived on {date_of(state.archived_at)}")
    for line in health_lines(state):
        table.add_row(Text("held up" if not state.finished else "errors", style="yellow"), line)
    return table


def status_text(state: Progress) -> str:
    """Return the status of a batch, what it is for if not for answers, and whether it stands still."""
    purpose = "" if state.purpose == "answer" else f" ({state.purpose})"
    status, comma, still = state.state.partition(", ")
    return f"{status}{purpose}{comma}{still}{', budget exhausted' if state.budget_exhausted else ''}"


def models_table(models: Iterable[ModelSummary]) -> Table:
    """Return a row for each model: its requests, calls, cost and latency."""
    models = list(models)
    not_made = ("not\nmade",) if any(model.not_made for model in models) else ()
    table = _table(
        "model", "requests", "calls", "failed\ncalls", *not_made, "retries", "cost", "mean\nlatency"
    )
    for model in models:
        latency = "" if model.mean_latency_ms is None else f"{model.mean_latency_ms:,.0f} ms"
        unsent = (model.not_made,) if not_made else ()
        counts = (model.requests, model.calls, model.failed_calls, *unsent, model.retries)
        table.add_row(model.model, *(f"{count:,}" for count in counts), usd(model.cost), latency)
    return table


def categories_table(categories: Iterable[CategorySummary]) -> Table:
    """Return a row for each category: its requests, and the models that they were sent to."""
    table = _table("category", "requests", "pairwise", "models")
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for category in categories:
        sent = ", ".join(f"{model} {number:,}" for model, number in category.models.items())
        table.add_row(category.category or "-", f"{category.requests:,}", f"{category.fallbacks:,}", sent)
    return table


def batches_table(batches: Sequence[Progress]) -> Table:
    """Return a row for each batch, which fits 80 columns."""
    table = _table("batch", "UTC", "status", "requests", "done", "failed", "cost")
    # An id is copied: in a narrow terminal the other columns shrink, first the widest, the status.
    table.columns[0].min_width, table.columns[0].no_wrap = ID_WIDTH, True
    for column in table.columns[1:]:
        column.no_wrap, column.overflow = False, "fold"
    table.columns[1].justify = table.columns[2].justify = "left"
    table.padding = (0, 1, 0, 0)
    for state in batches:
        lines = state.request_counts
        counts = (f"{lines['total']:,}", percent(state), f"{lines['failed'] - state.cancelled:,}")
        when = time_text(state.created_at).partition("-")[2]
        table.add_row(_named(state), when, status_text(state), *counts, usd(state.spent))
    return table


def _lines(state: Progress) -> str:
    """Return the lines of the input by how they ended, as the API counts them."""
    counts = "{total:,}  completed {completed:,}  failed {failed:,}".format(**state.request_counts)
    return f"{counts}, bad ones among them"


def _named(state: Progress) -> Text:
    """Return the id of a batch, and below it its name and its key's, in lines as long as the id."""
    names = [Text(line, style="italic") for line in wrap(state.name or "", ID_WIDTH)]
    key = [Text(line, style="dim") for line in wrap(f"key {state.owner}" if state.owner else "", ID_WIDTH)]
    return Text("\n").join([Text(state.batch_id), *names, *key])


def percent(state: Progress) -> str:
    """Return the share that is done; not rounded up: 100% is said of a whole batch only."""
    return f"{100 * state.done // state.total if state.total else 0}%"


def time_text(ms: int) -> str:
    """Return milliseconds since 1970 as day and minute, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def progress_line(state: Progress, rate: Rate) -> str:
    """Return the progress of a batch as one line of a log."""
    left = "" if rate.eta_s is None or not state.left else f", {duration(rate.eta_s)} left"
    bad_lines = f"{counted(state.invalid, 'bad line')}, " if state.invalid else ""
    return (
        f"{state.batch_id} {status_text(state)}: {state.done:,} of {state.total:,} done, "
        f"{state.failed:,} failed, {bad_lines}{state.in_flight:,} in flight, {cost(state)}, "
        f"{rate.per_second:,.1f}/s{left}{to_come(state)}"
    )


def to_come(state: Progress) -> str:
    """Return how many calls a run of judges will probably add: its total grows with its verdicts."""
    return f", about {state.more_calls:,} more to come" if state.more_calls else ""


def cost(state: Progress) -> str:
    """Return what is spent, the budget, what is reserved for calls in flight, projected, and saved."""
    amounts = {
        "spent": state.spent,
        "budget": state.budget,
        "reserved": state.reserved or None,
        "projected": None if state.finished else state.projected,
        "saved by reuse": state.saved or None,
        "saved by routing": state.routing_saved,
    }
    shown = (f"{name} {usd(amount)}" for name, amount in amounts.items() if amount is not None)
    why = lost_text(state.routing_saved)
    return ", ".join(shown) + (f" ({why})" if why else "")


def lost_text(saved: int | None) -> str:
    """Return why routing has saved less than nothing; empty where it has not."""
    return LOST if saved is not None and usd(saved).startswith("−") else ""


def usd(micros: int) -> str:
    """Return micro-dollars as text in dollars: from ten dollars on two decimals, below that four."""
    dollars = abs(micros) / MICROS_PER_DOLLAR
    text = f"${dollars:,.2f}" if dollars >= 10 else f"${dollars:.4f}"
    return f"−{text}" if micros < 0 and text != "$0.0000" else text


def duration(seconds: float) -> str:
    """Return a number of seconds as text: `1.5 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
