"""The parts of a batch: by model, by category and by the code of its failures. Its queries read all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from sqlalchemy import Connection, func, select

from router_core.pricing import Usage
from router_core.pricing.charges import charged_micros
from tasks.store import batches, summary
from tasks.store.routers.tables import router_version
from tasks.store.summary import CategorySummary, ModelSummary
from tasks.store.tables import attempt, decision


@dataclass(frozen=True, slots=True)
class Single:
    """What the routed requests would have cost if the best single model had answered all of them.

    Attributes:
        model: The best single model of the router.
        cost: Micro-dollars for as many tokens as the models that answered have used.
        routed_cost: Micro-dollars that the routed requests have cost.
    """

    model: str
    cost: int
    routed_cost: int

    @property
    def saved(self) -> int:
        """What routing has saved; below 0 where failed calls and dearer models cost more than that."""
        return self.cost - self.routed_cost


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a batch; `failures` counts failed requests by code, `examples` has ids, one for each."""

    models: tuple[ModelSummary, ...] = ()
    categories: tuple[CategorySummary, ...] = ()
    failures: dict[str, int] = field(default_factory=dict)
    single: Single | None = None
    examples: dict[str, int] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> Self:
        """Rebuild from the JSON column."""
        if row is None:
            return cls()
        return cls(
            tuple(ModelSummary(**one) for one in row["models"]),
            tuple(CategorySummary(**one) for one in row["categories"]),
            row["failures"],
            Single(**row["single"]) if row["single"] else None,
            row.get("examples", {}),  # counts of earlier versions have none
        )


def count(connection: Connection, batch_no: int) -> Parts:
    """Count a batch by model, category and code."""
    failed = summary.failures_with_examples(connection, batch_no)
    return Parts(
        tuple(summary.by_model(connection, batch_no)),
        tuple(summary.by_category(connection, batch_no)),
        {code: number for code, (number, _) in failed.items()},
        _single(connection, batch_no),
        {code: example for code, (_, example) in failed.items()},
    )


def _single(connection: Connection, batch_no: int) -> Single | None:
    """Return what the best single model would have cost; None without a router, or without its price."""
    model = _best_single(connection, batch_no)
    price = batches.options_of(connection, batch_no).price(model) if model else None
    if model is None or price is None:
        return None
    answered = attempt.c.state == "succeeded"
    query = (
        select(
            func.coalesce(func.sum(attempt.c.prompt_tokens).filter(answered), 0),
            func.coalesce(func.sum(attempt.c.completion_tokens).filter(answered), 0),
            func.coalesce(func.sum(attempt.c.cost), 0),
            func.count().filter(answered),
        )
        .join(decision, decision.c.request_id == attempt.c.request_id)
        .where(attempt.c.batch_no == batch_no, decision.c.router_version.is_not(None))
    )
    prompt, completion, cost, calls = connection.execute(query).one()
    used = Usage(input=int(prompt), output=int(completion), requests=int(calls))
    # The steps of a price are for long prompts, not for the sum of all.
    return Single(model, charged_micros(used, replace(price, steps=())), int(cost))


def _best_single(connection: Connection, batch_no: int) -> str | None:
    """Return the best single model of the router that routed a batch's first request."""
    first = select(decision.c.router_version).where(
        decision.c.batch_no == batch_no, decision.c.router_version.is_not(None)
    )
    version = first.limit(1).scalar_subquery()
    query = select(router_version.c.figures).where(router_version.c.version == version)
    figures = connection.execute(query).scalar_one_or_none()
    return figures.get("best_single") if figures else None
