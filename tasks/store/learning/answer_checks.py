"""What the checks of answers found of each model: whether its answer fit what the request demands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, true

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.store.deletion import has_prompt
from tasks.store.ids import ids_of
from tasks.store.learning.samples import COLLECT
from tasks.store.learning.tables import sampled_answer, sampled_prompt
from tasks.store.tables import attempt, batch, decision, outcome, request
from tasks.store.values import INVALID_ANSWER

_PAGE = 1_000


class CheckedPrompt(NamedTuple):
    """A prompt whose answers were checked: by model, the share of answers that fit, and their mean cost."""

    custom_id: str
    body: str
    endpoint: str
    category: str | None
    shares: Mapping[str, float]
    costs: Mapping[str, float]


def of_samples(
    connection: Connection, batch_nos: Sequence[int] | None = None
) -> Mapping[int | str, Mapping[str, bool]]:
    """Return whether the models' answers to sampled prompts fit, where they were checked."""
    within = true() if batch_nos is None else sampled_prompt.c.batch_no.in_(batch_nos)
    base = select(sampled_answer.c.prompt_id, sampled_answer.c.model).join(
        sampled_prompt, sampled_prompt.c.id == sampled_answer.c.prompt_id
    )
    same_request = outcome.c.request_id == sampled_answer.c.request_id
    noted = base.add_columns(outcome.c.notes).join(
        outcome, same_request & (outcome.c.model == sampled_answer.c.model)
    )
    fits: defaultdict[int | str, dict[str, bool]] = defaultdict(dict)
    for prompt_id, model, notes in connection.execute(noted.where(within, outcome.c.notes.is_not(None))):
        if (found := _fit(notes)) is not None:
            fits[prompt_id][model] = found
    # A model whose answer did not fit may have been followed by another one, which the outcome names.
    rejected = base.join(attempt, attempt.c.request_id == sampled_answer.c.request_id).where(
        within, attempt.c.model == sampled_answer.c.model, attempt.c.error_code == INVALID_ANSWER
    )
    for prompt_id, model in connection.execute(rejected):
        fits[prompt_id].setdefault(model, False)
    return fits


def checked_prompts(
    connection: Connection, batch_nos: Sequence[int] | None = None
) -> Iterator[CheckedPrompt]:
    """Yield the prompts of these batches whose answers were checked, page by page; by default of all."""
    numbers = _batch_nos(connection) if batch_nos is None else batch_nos
    for batch_no in numbers:
        # The requests that let several models answer a prompt follow each other.
        for _, group in groupby(_requests(connection, batch_no), key=lambda one: one[0]["body"]):
            requests = list(group)
            answers = [answer for _, given in requests for answer in given]
            if answers:
                yield _checked(requests[0][0], answers)


def _requests(
    connection: Connection, batch_no: int
) -> Iterator[tuple[Mapping[str, Any], list[_CheckedAnswer]]]:
    """Yield the requests of a batch with their checked answers."""
    after, last = ids_of(batch_no)
    while rows := _page(connection, after, last):
        rejected = _rejected(connection, [row["id"] for row in rows])
        for row in rows:
            yield row, [*rejected.get(row["id"], ()), *_accepted(row)]
        after = rows[-1]["id"] + 1


class _CheckedAnswer(NamedTuple):
    model: str
    fit: bool
    cost: int


def _batch_nos(connection: Connection) -> list[int]:
    query = select(batch.c.no).where(batch.c.purpose.in_(("answer", COLLECT))).order_by(batch.c.no)
    return list(connection.execute(query).scalars())


def _page(connection: Connection, after: int, last: int) -> Sequence[Any]:
    query = (
        select(
            request.c.id, request.c.custom_id, request.c.body, request.c.endpoint, decision.c.category,
            outcome.c.model, outcome.c.notes, outcome.c.cost,
        )
        .join(outcome, outcome.c.request_id == request.c.id)
        .outerjoin(decision, decision.c.request_id == request.c.id)
        .where(request.c.id.between(after, last), request.c.duplicate_of.is_(None), has_prompt())
        .order_by(request.c.id)
        .limit(_PAGE)
    )  # fmt: skip
    return connection.execute(query).mappings().all()


def _rejected(connection: Connection, ids: Sequence[int]) -> dict[int, list[_CheckedAnswer]]:
    query = (
        select(attempt.c.request_id, attempt.c.model, attempt.c.cost)
        .where(attempt.c.request_id.in_(ids), attempt.c.error_code == INVALID_ANSWER)
        .order_by(attempt.c.request_id, attempt.c.number)
    )
    answers: defaultdict[int, list[_CheckedAnswer]] = defaultdict(list)
    for request_id, model, cost in connection.execute(query):
        answers[request_id].append(_CheckedAnswer(model, False, cost))
    return answers


def _accepted(row: Mapping[str, Any]) -> list[_CheckedAnswer]:
    return [_CheckedAnswer(row["model"], True, row["cost"])] if _fit(row["notes"]) else []


def _fit(notes: Mapping[str, Any] | None) -> bool | None:
    """Return what a check found; None for an answer without one, and for a refusal."""
    found = notes or {}
    return None if found.get("invalid") == "refusal" else found.get("valid")


def _checked(row: Mapping[str, Any], answers: Sequence[_CheckedAnswer]) -> CheckedPrompt:
    by_model: defaultdict[str, list[_CheckedAnswer]] = defaultdict(list)
    for answer in answers:
        by_model[answer.model].append(answer)
    shares = {model: sum(one.fit for one in given) / len(given) for model, given in by_model.items()}
    costs = {
        model: sum(one.cost for one in given) / len(given) / MICROS_PER_DOLLAR
        for model, given in by_model.items()
    }
    return CheckedPrompt(
        row["custom_id"], row["body"], row["endpoint"] or CHAT_PATH, row["category"], shares, costs
    )
