"""The logged choices of routed requests whose answers were sampled: the chosen model and its propensity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, true

from tasks.errors import UnreadableOptions
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.decisions import parse_ranking
from tasks.store.isolation import report
from tasks.store.learning import samples
from tasks.store.learning.exploration import EXPLORATION
from tasks.store.learning.tables import sampled_answer, sampled_prompt
from tasks.store.tables import batch, decision, outcome


@dataclass(frozen=True, slots=True)
class LoggedChoice:
    """A routed request whose answer belongs to a sampled prompt.

    Attributes:
        prompt_id: The sampled prompt.
        model: The chosen model.
        ranking: The candidates, the chosen model first.
        propensity: The probability of the choice; None without exploration.
        epsilon: The batch's share of exploration.
        explored: Whether the prompt was sampled because its model was drawn; otherwise the sample does not
            depend on the choice.
        drawn: Whether the model was drawn at random.
        arm: canary or champion, if a canary was running.
        router_version: The router that decided.
    """

    prompt_id: int
    model: str
    ranking: tuple[str, ...]
    propensity: float | None
    epsilon: float
    explored: bool
    drawn: bool = False
    arm: str | None = None
    router_version: str | None = None


def choices(
    connection: Connection, batch_nos: Sequence[int] | None = None, *, since: int = 0
) -> Iterator[LoggedChoice]:
    """Yield the logged choices whose chosen model gave the answer.

    Args:
        connection: An open transaction.
        batch_nos: The routed batches; all by default.
        since: The earliest time at which the prompt was sampled, ms since 1970.
    """
    sampling_batch = batch.alias()
    query = (
        select(
            sampled_prompt.c.id,
            decision.c.model,
            decision.c.ranking,
            decision.c.propensity,
            decision.c.reason,
            decision.c.arm,
            decision.c.router_version,
            batch.c.options,
            sampling_batch.c.payer_no,
            batch.c.no,
        )
        .join(sampled_answer, sampled_answer.c.prompt_id == sampled_prompt.c.id)
        .join(outcome, samples.is_answer())
        .join(decision, decision.c.request_id == sampled_answer.c.request_id)
        .join(batch, batch.c.no == decision.c.batch_no)
        .join(sampling_batch, sampling_batch.c.no == sampled_prompt.c.batch_no)
        .where(decision.c.model == sampled_answer.c.model, batch.c.purpose == batches.ANSWER)
        .where(decision.c.reason != "named_model")
        .where(true() if batch_nos is None else batch.c.no.in_(batch_nos))
        .where(sampled_prompt.c.created_at >= since)
        .order_by(sampled_prompt.c.id)
    )
    for row in connection.execute(query):
        if (options := BatchOptions.readable(row.options)) is None:
            report(f"batch {row.no}", UnreadableOptions.__name__)
            continue
        yield LoggedChoice(
            row.id,
            row.model,
            parse_ranking(row.ranking),
            row.propensity,
            epsilon=options.explore,
            explored=row.payer_no == row.no,
            drawn=row.reason == EXPLORATION,
            arm=row.arm,
            router_version=row.router_version,
        )
