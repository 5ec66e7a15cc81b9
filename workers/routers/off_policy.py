"""Routers on logged batches: what their choices would have been worth to the judges."""

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
    """Compare on logged answers to prompts that neither has learnt from; raises LabelsError."""
    answers = _unseen_by(logged_answers(store), [champion, challenger])
    (theirs, _), (mine, predicted) = (
        _choices(settings, one, answers, notify) for one in (champion, challenger)
    )
    return compare_policies(_logged_data(answers, predicted), theirs, mine)


def estimate_logged(
    store: Store, settings: Settings, router: Router, notify: Notify, *, batch_ids: Sequence[str] = ()
) -> OffPolicyEstimate:
    """Estimate what a router would have reached; raises LabelsError with the reason, or UnknownBatch."""
    answers = _unseen_by(logged_answers(store, batch_ids), [router])
    chosen, predicted = _choices(settings, router, answers, notify)
    return estimate(_logged_data(answers, predicted), chosen)


def _unseen_by(found: LoggedAnswers, routers: Sequence[Router]) -> list[LoggedAnswer]:
    if not found.answers and found.without_propensity:
        raise LabelsError(
            f"{found.without_propensity} judged answers have no propensity that could be used: "
            "`waybill submit --explore 0.02` writes them down"
        )
    if not found.answers:
        raise LabelsError(
            "no answer of a routed request was judged: `waybill submit --explore 0.02`, then `waybill judge`"
        )
    texts = [one.prompt for one in found.answers]
    known = np.any([router.training_prompts.contains(texts) for router in routers], axis=0)
    answers = [one for one, learnt in zip(found.answers, known, strict=True) if not learnt]
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
    """Return the router's choices [n] and predicted scores [n, m], each among what could be chosen then."""
    models = _models(answers)
    chosen = np.zeros(len(answers), dtype=np.int64)
    predicted = np.full((len(answers), len(models)), np.nan)
    embedder = router_embedder(settings, router.embedder)
    rows_of: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, one in enumerate(answers):
        rows_of[one.candidates].append(row)
    for candidates, rows in rows_of.items():
        texts = [answers[row].prompt for row in rows]
        prompts = [
            LabelledPrompt(str(row), text, None, None, {}) for row, text in zip(rows, texts, strict=True)
        ]
        found = local_router(settings, router, candidates).choose(
            embed_prompts(embedder, prompts, notify), texts
        )
        columns = np.array([models.index(model) for model in candidates])
        chosen[rows] = columns[found.choice]
        predicted[np.array(rows)[:, None], columns] = found.predicted
    # A model that the router does not know is expected to be like the others.
    means = np.nanmean(np.where(np.isfinite(predicted).any(axis=1, keepdims=True), predicted, 0.0), axis=1)
    return chosen, np.where(np.isfinite(predicted), predicted, means[:, None])
