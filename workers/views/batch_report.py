"""The report on a batch: its progress, each model's and category's part, failures, and drift."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store import progress, summary
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.health.exhausted import enough_budget, exhausted_text
from tasks.store.health.waits import WaitRules
from tasks.store.routers import drift
from tasks.store.routers.drift import RouterDrift
from tasks.store.summary import CategorySummary, ModelSummary
from workers.views.health import wait_text

#: Fields of `Progress` in micro-dollars, and their keys in JSON, in dollars.
_MONEY_KEYS = {
    "spent": "cost_usd",
    "reserved": "reserved_usd",
    "saved": "saved_usd",
    "routing_saved": "routing_saved_usd",
    "budget": "budget_usd",
}


@dataclass(frozen=True)
class BatchReport:
    """A batch at one moment; `failures` counts failed requests by error code."""

    progress: Progress
    models: tuple[ModelSummary, ...]
    categories: tuple[CategorySummary, ...]
    failures: dict[str, int]
    drift: tuple[RouterDrift, ...] = ()
    #: how many requests did not fit the budget, and what would be enough; the latter in micro-dollars, too
    exhausted: str = ""
    enough_budget: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; money in dollars."""
        return {
            **progress_to_dict(self.progress),
            "models": [
                {**asdict(model), "cost_usd": model.cost / MICROS_PER_DOLLAR} for model in self.models
            ],
            "categories": [asdict(category) for category in self.categories],
            "failures": self.failures,
            "drift": [drift_to_dict(one) for one in self.drift],
            "enough_budget_usd": _dollars(self.enough_budget),
        }


def read_report(store: Store, batch_id: str | None = None, rules: WaitRules | None = None) -> BatchReport:
    """Read the report on the batch with this id, without an id the newest; raises UnknownBatch."""
    with store.read() as connection:
        state = progress.snapshot(connection, batch_id, rules)
        exhausted, enough = read_exhausted(connection, state)
        return BatchReport(
            state,
            tuple(summary.by_model(connection, state.batch_no)),
            tuple(summary.by_category(connection, state.batch_no)),
            summary.failures(connection, state.batch_no),
            tuple(drift.of_batch(connection, state.batch_no)),
            exhausted,
            enough,
        )


def read_exhausted(connection: Connection, state: Progress) -> tuple[str, int | None]:
    """Return in words that a batch's budget was used up, and the budget that would be enough."""
    if not state.budget_exhausted:
        return "", None
    row = {
        "no": state.batch_no,
        "purpose": state.purpose,
        "budget": state.budget,
        "spent": state.spent,
        "budget_stops": state.budget_stops,
        "failed": state.failed,
        "cancelled": state.cancelled,
    }
    enough = enough_budget(connection, row)
    return exhausted_text(row, enough), enough


def drift_to_dict(one: RouterDrift) -> dict[str, Any]:
    """Return plain values for JSON; `figures` is null where drift could not be measured."""
    return {
        "router_version": one.version,
        "known": one.known,
        "figures": one.drift.to_dict() if one.drift else None,
        "unfamiliar": one.familiarity.to_dict() if one.familiarity else None,
        "high": list(_high(one)),
        "advice": advice(one),
    }


def drift_text(one: RouterDrift) -> str:
    """Return a router's drift statistics on a batch, with their limits, in one line."""
    if not one.known:
        return f"not known: router {one.version} does not say what it was trained on{_unfamiliar_text(one)}"
    if one.drift is None:
        return f"too few prompts to say{_unfamiliar_text(one)}"
    categories, embeddings, uncovered = one.drift.categories, one.drift.embeddings, one.drift.uncovered
    # What is above its limit by little must not look like it.
    digits = 4 if f"{embeddings.value:.3f}" == f"{embeddings.limit:.3f}" else 3
    return (
        f"categories {categories.value:.2f} (limit {categories.limit:.2f})  "
        f"embeddings {embeddings.value:.{digits}f} (limit {embeddings.limit:.{digits}f})  "
        f"far from every label {uncovered.value:.0%} (limit {uncovered.limit:.0%}){_unfamiliar_text(one)}"
    )


def _unfamiliar_text(one: RouterDrift) -> str:
    share = one.familiarity.share if one.familiarity else None
    return "" if share is None else f"  unlike the labels {share.value:.0%} (limit {share.limit:.0%})"


def _high(one: RouterDrift) -> tuple[str, ...]:
    """Return the names of the statistics that are above their limits."""
    unfamiliar = ("unfamiliar",) if one.familiarity and one.familiarity.high else ()
    return (*(one.drift.high if one.drift else ()), *unfamiliar)


def advice(one: RouterDrift) -> str:
    """Return what to do about a router's drift; empty where it is within its limits."""
    if not one.known:
        return "`waybill train --from-store`: a router trained now says what it was trained on"
    high = _high(one)
    if not high:
        return ""
    # Far from every label is what is unlike the labels, measured more coarsely: said once.
    said = [name for name in high if not (name == "uncovered" and "unfamiliar" in high)]
    changes = " and ".join(_CHANGES[name] for name in said)
    by_novelty = " --by novelty" if "unfamiliar" in high else ""
    return (
        f"{changes}: `waybill collect {one.batch_id}{by_novelty} --budget USD`, "
        "`waybill judge --budget USD`, then `waybill train --from-store`"
    )


#: By drift statistic, what has changed since training.
_CHANGES = {
    "categories": "another mix of categories than in training",
    "embeddings": "other prompts than in training",
    "uncovered": "many prompts far from every label",
    "unfamiliar": "many prompts unlike the labels",
}


def progress_to_dict(state: Progress) -> dict[str, Any]:
    """Return plain values for JSON; money in dollars, the rate averaged over the whole time so far."""
    values = asdict(state)
    for field, key in _MONEY_KEYS.items():
        values[key] = _dollars(values.pop(field))
    rate = state.done / state.elapsed_s if state.elapsed_s > 0 else 0.0
    return {
        **values,
        "request_counts": state.request_counts,
        "done": state.done,
        "waiting": state.waiting,
        "finished": state.finished,
        "is_paused": state.is_paused,
        "interrupted": state.interrupted,
        "budget_exhausted": state.budget_exhausted,
        "unfamiliar_share": state.unfamiliar_share,
        "calls_saved": state.calls_saved,
        "projected_usd": _dollars(state.projected),
        "rate_per_s": round(rate, 3),
        "waits": [{**asdict(one), "text": wait_text(one)} for one in state.waits],
        "eta_s": round(state.left / rate, 1) if rate else None,
    }


def _dollars(micros: int | None) -> float | None:
    return None if micros is None else micros / MICROS_PER_DOLLAR
