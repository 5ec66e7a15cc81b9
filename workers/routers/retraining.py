"""Training from the store's own labels, and the comparison with the router that routes now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from router_core.data.splits import assign_folds
from router_core.errors import LabelsError
from router_core.evaluation.off_policy import OffPolicyComparison
from router_core.evaluation.paired_comparison import Comparison, compare
from router_core.router import Router
from tasks.learning import labels
from tasks.settings import Settings
from tasks.stages.context import WorkerContext
from tasks.store.engine import Store
from tasks.store.routers import roles
from workers.routers import promotion
from workers.routers.embedders import router_embedder
from workers.routers.local_router import local_router
from workers.routers.off_policy import compare_logged
from workers.routers.training import embed_prompts, train_on

if TYPE_CHECKING:
    from router_core.data.labelled_prompts import LabelledPrompt

Notify = Callable[[str], None]

#: a fifth of the prompts is held out, the same ones for the same seed
FOLDS = 5
_DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class LabelWeighting:
    """How old labels count: none beyond `window` days, half as much for every `half_life` days."""

    window: float | None = None
    half_life: float | None = None


@dataclass(frozen=True, kw_only=True)
class RetrainResult:
    """The challenger, which the store holds now, and how it compares; None where there is no champion."""

    router: Router
    held_out: int
    champion: str | None
    comparison: Comparison | None
    #: on logged batches; None where `off_policy_skipped` says why not
    off_policy: OffPolicyComparison | None = None
    off_policy_skipped: str = "there is no champion yet"


def retrain(
    store: Store,
    settings: Settings,
    output: Path,
    *,
    weighting: LabelWeighting,
    embedder: str | None = None,
    seed: int = 0,
    notify: Notify,
) -> RetrainResult:
    """Train on four fifths of the store's labels, compare on the rest, save and register the challenger.

    Raises:
        LabelsError: The store holds no labels, or none that is young enough.
    """
    rows, weights = _weighted_labels(store, weighting)
    held = assign_folds([row.prompt for row in rows], folds=FOLDS, seed=seed) == 0
    learnt = [row for row, out in zip(rows, held, strict=True) if not out]
    router = train_on(settings, learnt, weights=weights[~held], embedder=embedder, seed=seed, notify=notify)
    router.save(output)
    test = [row for row, out in zip(rows, held, strict=True) if out]
    champion = _champion(store, settings)
    found = _compare(settings, champion, router, test, notify) if champion else None
    done = RetrainResult(
        router=router,
        held_out=len(test),
        champion=champion.version if champion else None,
        comparison=found,
    )
    if champion:
        done = _on_logged_batches(store, settings, champion, done, notify)
    promotion.register(store, output, source="the store's labels", comparison=_comparison_record(done))
    return done


def _on_logged_batches(
    store: Store, settings: Settings, champion: Router, result: RetrainResult, notify: Notify
) -> RetrainResult:
    try:
        found = compare_logged(store, settings, champion, result.router, notify)
    except LabelsError as error:
        return replace(result, off_policy_skipped=str(error))
    return replace(result, off_policy=found, off_policy_skipped="")


def _comparison_record(result: RetrainResult) -> dict[str, Any] | None:
    """Return what the store keeps of the comparison."""
    if result.comparison is None:
        return None
    logged = result.off_policy.to_dict() if result.off_policy else None
    return {**result.comparison.to_dict(), "champion": result.champion, "off_policy": logged}


def _weighted_labels(
    store: Store, weighting: LabelWeighting
) -> tuple[list[LabelledPrompt], npt.NDArray[np.float64]]:
    found = list(labels.export_with_times(store))
    newest = max((at for at, _ in found), default=0)
    if weighting.window is not None:
        found = [one for one in found if newest - one[0] <= weighting.window * _DAY_MS]
    if not found:
        raise LabelsError("the store holds no labels: `waybill collect`, then `waybill judge`")
    days = np.array([newest - at for at, _ in found]) / _DAY_MS
    weights = 0.5 ** (days / weighting.half_life) if weighting.half_life else np.ones(len(found))
    return [row for _, row in found], weights


def _champion(store: Store, settings: Settings) -> Router | None:
    context = WorkerContext(settings)
    with store.read() as connection:
        return context.router(roles.read(connection))


def _compare(
    settings: Settings, champion: Router, challenger: Router, test: Sequence[LabelledPrompt], notify: Notify
) -> Comparison | None:
    """Compare on the held-out prompts that the champion has not learnt from either."""
    fresh = (
        ~champion.training_prompts.contains([row.prompt for row in test]) if test else np.zeros(0, dtype=bool)
    )
    rows = [row for row, new in zip(test, fresh, strict=True) if new]
    models = [name for name in challenger.models if any(name in row.scores for row in rows)]
    if not models:
        return None
    chosen = [_choices(settings, router, rows, models, notify) for router in (champion, challenger)]
    return compare(rows, *chosen)


def _choices(
    settings: Settings, router: Router, rows: Sequence[LabelledPrompt], models: Sequence[str], notify: Notify
) -> list[str]:
    local = local_router(settings, router, models)
    vectors = embed_prompts(router_embedder(settings, router.embedder), rows, notify)
    decisions = local.choose(vectors, [row.prompt for row in rows])
    return [decisions.model(row) for row in range(len(decisions))]
