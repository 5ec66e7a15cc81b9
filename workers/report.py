"""What there is to say about a batch: its progress, each model's and category's part, and its failures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store import progress, summary
from tasks.store.engine import Store
from tasks.store.progress import Progress
from tasks.store.summary import CategorySummary, ModelSummary

_MONEY = {"spent": "cost_usd", "reserved": "reserved_usd", "budget": "budget_usd"}


@dataclass(frozen=True)
class BatchReport:
    """A batch at one moment."""

    progress: Progress
    models: tuple[ModelSummary, ...]
    categories: tuple[CategorySummary, ...]
    failures: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money in dollars."""
        return {
            **progress_to_dict(self.progress),
            "models": [
                {**asdict(model), "cost_usd": model.cost / MICROS_PER_DOLLAR} for model in self.models
            ],
            "categories": [asdict(category) for category in self.categories],
            "failures": self.failures,
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
        )


def progress_to_dict(state: Progress) -> dict[str, Any]:
    """Plain values for JSON; money in dollars, the rate over the whole time so far."""
    values = asdict(state)
    for name, shown in _MONEY.items():
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
