"""Logged answers for off-policy evaluation: routed requests with a judged score and their propensity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from router_core.judging.dawid_skene import robust_pair_scores
from router_core.judging.scores import prompt_scores
from tasks.endpoints.registry import stored_prompt
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.learning import labels
from tasks.store.learning.logged_choices import LoggedChoice, choices
from tasks.store.routers.roles import CANARY, CHAMPION, Roles

#: up to this epsilon, the router's own choice has a propensity above epsilon, and any other model one below
_MAX_EPSILON = 0.5


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """A routed prompt with the candidates, the chosen model and the score of its answer.

    `propensity` is the probability of the choice, given that the prompt was sampled as it was.
    """

    prompt: str
    model: str
    candidates: tuple[str, ...]
    propensity: float
    score: float


@dataclass(frozen=True, slots=True)
class LoggedAnswers:
    """The logged answers with a propensity, and the number of judged answers without one."""

    answers: tuple[LoggedAnswer, ...]
    without_propensity: int


def logged_answers(store: Store, batch_ids: Sequence[str] = ()) -> LoggedAnswers:
    """Return the judged answers of routed batches, by default of all; raises UnknownBatch."""
    with store.read() as connection:
        batch_nos = [batches.find(connection, batch_id)["no"] for batch_id in batch_ids] or None
        values = robust_pair_scores(labels.judgements(connection))
        logged = {
            choice.prompt_id: choice
            for choice in choices(connection, batch_nos)
            if choice.prompt_id in values
        }
        prompts = {row.key: row for row in labels.prompts(connection) if row.key in logged}
    answers, without_propensity = [], 0
    for prompt_id, choice in logged.items():
        score = prompt_scores(values[prompt_id]).get(choice.model)
        propensity = sampling_propensity(choice)
        if score is None:
            continue
        if propensity is None:
            without_propensity += 1
            continue
        row = prompts.get(prompt_id)
        if row is None:  # its prompt was deleted
            continue
        prompt = row.prompt or stored_prompt(row.endpoint, row.body or "")
        candidates = tuple(sorted(choice.ranking))
        answers.append(LoggedAnswer(prompt, choice.model, candidates, propensity, score))
    return LoggedAnswers(tuple(answers), without_propensity)


def arm_scores(connection: Connection, roles: Roles) -> dict[str, list[float]]:
    """Return the judged scores of the routers' own choices since the canary started, by arm.

    Where the model was drawn, all candidates have answered, so the score of the router's own choice is known.
    """
    versions = {CANARY: roles.canary, CHAMPION: roles.champion}
    logged = [
        choice
        for choice in choices(connection, since=roles.since)
        if choice.arm is not None and versions.get(choice.arm) == choice.router_version
    ]
    values = robust_pair_scores(labels.judgements(connection)) if logged else {}
    by_arm: dict[str, list[float]] = {CANARY: [], CHAMPION: []}
    for choice in logged:
        score = prompt_scores(values.get(choice.prompt_id, {})).get(greedy_choice(choice) or "")
        if choice.arm is not None and score is not None:
            by_arm[choice.arm].append(score)
    return by_arm


def greedy_choice(choice: LoggedChoice) -> str | None:
    """Return the router's own choice, even where another model was drawn; None if it is unknown.

    The ranking starts with the chosen model. If that was drawn, its propensity shows whether it was also the
    router's own choice, but only for an epsilon of at most 0.5.
    """
    if not choice.drawn or choice.propensity is None:
        return choice.model
    if choice.epsilon > _MAX_EPSILON:
        return None
    return choice.ranking[0] if choice.propensity > choice.epsilon else choice.ranking[1]


def sampling_propensity(choice: LoggedChoice) -> float | None:
    """Return the probability of the chosen model, given that the request was sampled; None if unknown.

    Exploration samples a request because its model was drawn, so the result is then the probability of the
    model among the draws. For an epsilon between 0.5 and 1 it is None: the logged propensity does not show
    whether the drawn model was also the router's own choice.
    """
    if choice.propensity is None or not choice.explored:
        return choice.propensity
    if choice.epsilon == 1 or choice.propensity <= choice.epsilon <= _MAX_EPSILON:
        return choice.propensity / choice.epsilon
    greedy = (choice.propensity - (1 - choice.epsilon)) / choice.epsilon
    return greedy if choice.epsilon <= _MAX_EPSILON else None
