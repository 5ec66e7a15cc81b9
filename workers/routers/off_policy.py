"""Off-policy evaluation on logged batches: the scores that judges would have given a router's choices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.errors import LabelsError
from router_core.evaluation.off_policy import (
    LoggedData,
    OffPolicyComparison,
    OffPolicyEstimate,
    compare_policies,
    estimate,
)
from router_core.router import Router
from tasks.learning.off_policy_log import LoggedAnswer, LoggedAnswers, logged_answers
from tasks.settings import Settings
from tasks.store.engine import Store
from workers.routers.embedders import router_embedder
from workers.routers.local_router import local_router
from workers.routers.training import embed_prompts

Notify = Callable[[str], None]
Choices = npt.NDArray[np.int64]


def compare_logged(
    store: Store, settings: Settings, champion: Router, challenger: Router, notify: Notify
) -> OffPolicyComparison:
    """Compare two routers on logged answers to prompts that neither was trained on.

    Raises:
        LabelsError: There are no such answers; the message names the reason.
    """
    answers = _unseen_by(logged_answers(store), [champion, challenger])
    champion_choices, _ = _choices(settings, champion, answers, notify)
    challenger_choices, predicted = _choices(settings, challenger, answers, notify)
    return compare_policies(_logged_data(answers, predicted), champion_choices, challenger_choices)


def estimate_logged(
    store: Store, settings: Settings, router: Router, notify: Notify, *, batch_ids: Sequence[str] = ()
) -> OffPolicyEstimate:
    """Estimate the mean score of a router's choices from logged answers, by default of all batches.

    Raises:
        LabelsError: There are no logged answers to prompts new to the router; the message names the reason.
        UnknownBatch: The store holds no batch with one of the ids.
    """
    answers = _unseen_by(logged_answers(store, batch_ids), [router])
    chosen, predicted = _choices(settings, router, answers, notify)
    return estimate(_logged_data(answers, predicted), chosen)


def _unseen_by(logged: LoggedAnswers, routers: Sequence[Router]) -> list[LoggedAnswer]:
    """Return the answers to prompts that no router was trained on; raises LabelsError if there are none."""
    if not logged.answers and logged.without_propensity:
        raise LabelsError(
            f"{logged.without_propensity} judged answers have no propensity that could be used: "
            "`waybill submit --explore 0.02` writes them down"
        )
    if not logged.answers:
        raise LabelsError(
            "no answer of a routed request was judged: `waybill submit --explore 0.02`, then `waybill judge`"
        )
    texts = [one.prompt for one in logged.answers]
    seen = np.any([router.training_prompts.contains(texts) for router in routers], axis=0)
    answers = [one for one, is_seen in zip(logged.answers, seen, strict=True) if not is_seen]
    if not answers:
        raise LabelsError(f"all {len(texts)} judged answers are to prompts that were learnt from")
    return answers


def _logged_data(answers: Sequence[LoggedAnswer], predicted: npt.NDArray[np.float64]) -> LoggedData:
    models = _models(answers)
    return LoggedData(
        np.array([models.index(one.model) for one in answers]),
        np.array([one.score for one in answers]),
        np.array([one.propensity for one in answers]),
        predicted,
    )


def _models(answers: Sequence[LoggedAnswer]) -> list[str]:
    return sorted({model for one in answers for model in one.candidates})


def _choices(
    settings: Settings, router: Router, answers: Sequence[LoggedAnswer], notify: Notify
) -> tuple[Choices, npt.NDArray[np.float64]]:
    """Return the router's choices [n] among each request's candidates, and the predicted scores [n, m]."""
    models = _models(answers)
    chosen = np.zeros(len(answers), dtype=np.int64)
    predicted = np.full((len(answers), len(models)), np.nan)
    embedder = router_embedder(settings, router.embedder)
    for candidates, rows in _rows_by_candidates(answers).items():
        texts = [answers[row].prompt for row in rows]
        prompts = [
            LabelledPrompt(str(row), text, None, None, {}) for row, text in zip(rows, texts, strict=True)
        ]
        vectors = embed_prompts(embedder, prompts, notify)
        decisions = local_router(settings, router, candidates).choose(vectors, texts)
        columns = np.array([models.index(model) for model in candidates])
        chosen[rows] = columns[decisions.choice]
        predicted[np.array(rows)[:, None], columns] = decisions.predicted
    return chosen, _with_row_means(predicted)


def _rows_by_candidates(answers: Sequence[LoggedAnswer]) -> dict[tuple[str, ...], list[int]]:
    rows: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, one in enumerate(answers):
        rows[one.candidates].append(row)
    return rows


def _with_row_means(predicted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Replace the scores [n, m] that are not known by the mean of their row, a row without any by 0."""
    known = np.isfinite(predicted)
    means = np.nanmean(np.where(known.any(axis=1, keepdims=True), predicted, 0.0), axis=1)
    return np.where(known, predicted, means[:, None])
