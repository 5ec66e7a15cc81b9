"""Logged choices whose answers were sampled: which model was chosen, and with what chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, true

from tasks.store import batches
from tasks.store.learning import samples
from tasks.store.learning.tables import sampled_answer, sampled_prompt
from tasks.store.tables import batch, decision, outcome
from tasks.store.values import BatchOptions


@dataclass(frozen=True, slots=True)
class LoggedChoice:
    """A routed request whose answer is one of a sampled prompt's.

    ranking: the JSON list of the models that could be chosen. propensity: None where nothing was drawn.
    epsilon: the batch's share of exploration. explored: it was sampled because its model was drawn; otherwise
    whatever the choice.
    """

    prompt_id: int
    model: str
    ranking: str
    propensity: float | None
    epsilon: float
    explored: bool


def choices(connection: Connection, batch_nos: Sequence[int] | None = None) -> Iterator[LoggedChoice]:
    """The logged choices of these batches, of all by default, whose chosen model gave the answer."""
    sampler = batch.alias()
    query = (
        select(
            sampled_prompt.c.id,
            decision.c.model,
            decision.c.ranking,
            decision.c.propensity,
            batch.c.options,
            sampler.c.payer_no,
            batch.c.no,
        )
        .join(sampled_answer, sampled_answer.c.prompt_id == sampled_prompt.c.id)
        .join(outcome, samples.is_answer())
        .join(decision, decision.c.request_id == sampled_answer.c.request_id)
        .join(batch, batch.c.no == decision.c.batch_no)
        .join(sampler, sampler.c.no == sampled_prompt.c.batch_no)
        .where(decision.c.model == sampled_answer.c.model, batch.c.purpose == batches.ANSWER)
        .where(decision.c.reason != "named_model")
        .where(true() if batch_nos is None else batch.c.no.in_(batch_nos))
        .order_by(sampled_prompt.c.id)
    )
    for prompt_id, model, ranking, propensity, options, payer_no, number in connection.execute(query):
        epsilon = BatchOptions.from_row(options).explore
        yield LoggedChoice(prompt_id, model, ranking, propensity, epsilon, payer_no == number)
