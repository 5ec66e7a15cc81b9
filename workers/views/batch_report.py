"""What there is to say about a batch: its progress, each model's and category's part, and its failures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store import progress, summary
from tasks.store.engine import Store
from tasks.store.progress import Progress
from tasks.store.routers import drift
from tasks.store.routers.drift import RouterDrift
from tasks.store.summary import CategorySummary, ModelSummary

_MONEY_KEYS = {"spent": "cost_usd", "reserved": "reserved_usd", "budget": "budget_usd"}


@dataclass(frozen=True)
class BatchReport:
    """A batch at one moment."""

    progress: Progress
    models: tuple[ModelSummary, ...]
    categories: tuple[CategorySummary, ...]
    failures: dict[str, int]
    drift: tuple[RouterDrift, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money in dollars."""
        return {
            **progress_to_dict(self.progress),
            "models": [
                {**asdict(model), "cost_usd": model.cost / MICROS_PER_DOLLAR} for model in self.models
            ],
            "categories": [asdict(category) for category in self.categories],
            "failures": self.failures,
            "drift": [drift_to_dict(one) for one in self.drift],
        }


def read_report(store: Store, batch_id: str | None = None) -> BatchReport:
    """Read the batch with this id, or the newest one; raises UnknownBatch."""
    with store.read() as connection:
        state = progress.snapshot(connection, batch_id)
        return BatchReport(
            state,
            tuple(summary.by_model(connection, state.batch_no)),
            tuple(summary.by_category(connection, state.batch_no)),
            summary.failures(connection, state.batch_no),
            tuple(drift.of_batch(connection, state.batch_no)),
        )


def drift_to_dict(one: RouterDrift) -> dict[str, Any]:
    """Plain values for JSON; `figures` is null where nothing can be said."""
    return {
        "router_version": one.version,
        "known": one.known,
        "figures": one.drift.to_dict() if one.drift else None,
        "high": list(one.drift.high) if one.drift else [],
        "advice": advice(one),
    }


def drift_text(one: RouterDrift) -> str:
    """Return what a router saw of a batch, in a line."""
    if not one.known:
        return f"not known: router {one.version} does not say what it was trained on"
    if one.drift is None:
        return "too few prompts to say"
    index, shift, far = one.drift.categories, one.drift.embeddings, one.drift.uncovered
    return (
        f"categories {index.value:.2f} (limit {index.limit:.2f})  embeddings {shift.value:.3f} (limit "
        f"{shift.limit:.3f})  far from every label {far.value:.0%} (limit {far.limit:.0%})"
    )


def advice(one: RouterDrift) -> str:
    """Return what to do about it; empty where nothing need be done."""
    if not one.known:
        return "`waybill train --from-store`: a router trained now says what it was trained on"
    if one.drift is None or not one.drift.high:
        return ""
    shifted = " and ".join(_SHIFTED[name] for name in one.drift.high)
    return (
        f"{shifted}: `waybill collect {one.batch_id} --budget USD`, `waybill judge --budget USD`, "
        "then `waybill train --from-store`"
    )


_SHIFTED = {
    "categories": "another mix of categories than in training",
    "embeddings": "other prompts than in training",
    "uncovered": "many prompts unlike any labelled one",
}


def progress_to_dict(state: Progress) -> dict[str, Any]:
    """Plain values for JSON; money in dollars, the rate over the whole time so far."""
    values = asdict(state)
    for name, shown in _MONEY_KEYS.items():
        values[shown] = _dollars(values.pop(name))
    rate = state.done / state.elapsed_s if state.elapsed_s > 0 else 0.0
    return {
        **values,
        "done": state.done,
        "waiting": state.waiting,
        "finished": state.finished,
        "calls_saved": state.calls_saved,
        "projected_usd": _dollars(state.projected),
        "rate_per_s": round(rate, 3),
        "eta_s": round((state.total - state.done) / rate, 1) if rate else None,
    }


def _dollars(micros: int | None) -> float | None:
    return None if micros is None else micros / MICROS_PER_DOLLAR
