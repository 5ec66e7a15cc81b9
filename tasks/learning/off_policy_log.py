"""Logged answers: routed requests with a judged score and the chance of their choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from router_core.judging.dawid_skene import robust_pair_scores
from router_core.judging.scores import prompt_scores
from tasks.formats.inputs.messages import prompt_of
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.learning import labels
from tasks.store.learning.logged_choices import LoggedChoice, choices
from tasks.store.routers.roles import CANARY, CHAMPION, Roles

#: up to this share of exploration the router's own choice has a chance above it, and any other one below
_MOST_EXPLORED = 0.5


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """A routed prompt, what its model could have been, and the score that the chosen model's answer got.

    propensity: the chance of the choice among those that were sampled as this one was.
    """

    prompt: str
    model: str
    candidates: tuple[str, ...]
    propensity: float
    score: float


@dataclass(frozen=True, slots=True)
class LoggedAnswers:
    """Those that tell something, and how many were judged but have no propensity."""

    answers: tuple[LoggedAnswer, ...]
    without_propensity: int


def logged_answers(store: Store, batch_ids: Sequence[str] = ()) -> LoggedAnswers:
    """Return the judged answers of batches that were routed, of all by default. Raises UnknownBatch."""
    with store.read() as connection:
        numbers = [batches.find(connection, one)["no"] for one in batch_ids] or None
        values = robust_pair_scores(labels.judgements(connection))
        found = {one.prompt_id: one for one in choices(connection, numbers) if one.prompt_id in values}
        texts = {row.key: row for row in labels.prompts(connection) if row.key in found}
    answers, without = [], 0
    for prompt_id, one in found.items():
        score, chance = prompt_scores(values[prompt_id]).get(one.model), sampling_propensity(one)
        if score is None:
            continue
        if chance is None:
            without += 1
            continue
        row = texts[prompt_id]
        prompt = row.prompt or prompt_of(json.loads(row.body or "")["messages"])
        candidates = tuple(sorted(json.loads(one.ranking)))
        answers.append(LoggedAnswer(prompt, one.model, candidates, chance, score))
    return LoggedAnswers(tuple(answers), without)


def arm_scores(connection: Connection, roles: Roles) -> dict[str, list[float]]:
    """Return by arm, the judged scores of the models that its router chose since the canary began.

    Where the model was drawn all candidates have answered, and the router's own choice is looked up.
    """
    versions = {CANARY: roles.canary, CHAMPION: roles.champion}
    found = [
        one
        for one in choices(connection, since=roles.since)
        if one.arm is not None and versions.get(one.arm) == one.router_version
    ]
    values = robust_pair_scores(labels.judgements(connection)) if found else {}
    by_arm: dict[str, list[float]] = {CANARY: [], CHAMPION: []}
    for one in found:
        score = prompt_scores(values.get(one.prompt_id, {})).get(greedy_choice(one) or "")
        if one.arm is not None and score is not None:
            by_arm[one.arm].append(score)
    return by_arm


def greedy_choice(one: LoggedChoice) -> str | None:
    """Return the router's own choice, whatever was drawn; None where exploration is too frequent to tell."""
    if not one.drawn or one.propensity is None:
        return one.model
    if one.epsilon > _MOST_EXPLORED:
        return None
    ranking: list[str] = json.loads(one.ranking)
    return ranking[0] if one.propensity > one.epsilon else ranking[1]


def sampling_propensity(one: LoggedChoice) -> float | None:
    """Return the chance that this model was chosen, given that the request was sampled; None where it is not known.

    What exploration sampled was drawn: the router's own choice counts there only by chance. Where exploration
    is so frequent that a drawn choice and the router's own cannot be told apart by their chance, nothing is.
    """
    if one.propensity is None or not one.explored:
        return one.propensity
    if one.epsilon == 1 or one.propensity <= one.epsilon <= _MOST_EXPLORED:
        return one.propensity / one.epsilon
    own = (one.propensity - (1 - one.epsilon)) / one.epsilon
    return own if one.epsilon <= _MOST_EXPLORED else None
