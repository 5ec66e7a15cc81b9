"""Training on the labels in the store, and comparison of the new router with the one that routes now."""

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

#: One fold is held out for the comparison; the same seed holds out the same prompts.
FOLDS = 5
_DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class LabelWeighting:
    """The labels that count, and their weights by age, relative to the newest label.

    Attributes:
        window: Labels older than this many days are left out; None keeps all.
        half_life: The weight of a label halves with every so many days; None weights all alike.
        checks: An answer that fits what its request demands beats every one that does not.
    """

    window: float | None = None
    half_life: float | None = None
    checks: bool = False


@dataclass(frozen=True, kw_only=True)
class RetrainResult:
    """The new router (challenger), which the store holds now, and its comparison with the champion.

    Attributes:
        held_out: Number of held-out rows; a prompt may have several.
        known: Those of them that the champion has learnt from, which are not compared.
        champion: The version of the router that routes now; None where there is none.
        comparison: With the champion, or where there is none with the router's best single model, on held-out
            prompts; None where none is held out that is new to the champion.
        off_policy: On logged batches; None for the reason in `off_policy_skipped`.
    """

    router: Router
    held_out: int
    known: int
    champion: str | None
    comparison: Comparison | None
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
    """Train on four fifths of the store's labels, compare on the rest, and register the router.

    Args:
        output: The directory that the router is saved to.
        embedder: Its embedding model; None takes that of the settings.
        seed: Chooses the held-out prompts, and the random numbers of the training.

    Raises:
        LabelsError: The store holds no labels, or none within the window.
    """
    rows, weights = _weighted_labels(store, weighting)
    held_out = assign_folds([row.prompt for row in rows], folds=FOLDS, seed=seed) == 0
    training = [row for row, out in zip(rows, held_out, strict=True) if not out]
    test = [row for row, out in zip(rows, held_out, strict=True) if out]
    prompts = len({row.prompt for row in rows})
    notify(
        f"{len(rows):,} labelled rows of {prompts:,} prompts: {len(training):,} rows to learn from, "
        f"{len(test):,} to compare on"
    )
    router = train_on(
        settings, training, weights=weights[~held_out], embedder=embedder, seed=seed, notify=notify
    )
    router.save(output)
    champion = _champion(store, settings)
    new = _new_to(champion, test)
    result = RetrainResult(
        router=router,
        held_out=len(test),
        known=len(test) - len(new),
        champion=champion.version if champion else None,
        comparison=_compare(settings, champion, router, new, notify),
    )
    if champion:
        result = _with_off_policy(store, settings, champion, result, notify)
    promotion.register(
        store, output, source=promotion.SOURCE_OF_STORE_LABELS, comparison=_comparison_record(result)
    )
    return result


def _with_off_policy(
    store: Store, settings: Settings, champion: Router, result: RetrainResult, notify: Notify
) -> RetrainResult:
    """Add the comparison on logged batches, or the reason why there is none."""
    try:
        comparison = compare_logged(store, settings, champion, result.router, notify)
    except LabelsError as error:
        return replace(result, off_policy_skipped=str(error))
    return replace(result, off_policy=comparison, off_policy_skipped="")


def _comparison_record(result: RetrainResult) -> dict[str, Any] | None:
    """Return the comparison as the store keeps it."""
    if result.comparison is None:
        return None
    logged = result.off_policy.to_dict() if result.off_policy else None
    best_single = None if result.champion else result.router.best_single
    return {
        **result.comparison.to_dict(),
        "champion": result.champion,
        "best_single": best_single,
        "off_policy": logged,
    }


def _weighted_labels(
    store: Store, weighting: LabelWeighting
) -> tuple[list[LabelledPrompt], npt.NDArray[np.float64]]:
    """Return the labelled prompts within the window, n of them, and their weights [n]."""
    dated = list(labels.export_with_times(store, checks=weighting.checks))
    newest_ms = max((at_ms for at_ms, _ in dated), default=0)
    if weighting.window is not None:
        window_ms = weighting.window * _DAY_MS
        dated = [(at_ms, row) for at_ms, row in dated if newest_ms - at_ms <= window_ms]
    if not dated:
        raise LabelsError("the store holds no labels: `waybill collect`, then `waybill judge`")
    age_days = np.array([newest_ms - at_ms for at_ms, _ in dated]) / _DAY_MS
    weights = 0.5 ** (age_days / weighting.half_life) if weighting.half_life else np.ones(len(dated))
    return [row for _, row in dated], weights


def _champion(store: Store, settings: Settings) -> Router | None:
    context = WorkerContext(settings)
    with store.read() as connection:
        return context.router(roles.read(connection))


def _new_to(champion: Router | None, test: Sequence[LabelledPrompt]) -> list[LabelledPrompt]:
    """Return the rows whose prompts the champion has not learnt from."""
    if champion is None or not test:
        return list(test)
    known = champion.training_prompts.contains([row.prompt for row in test])
    return [row for row, is_known in zip(test, known, strict=True) if not is_known]


def _compare(
    settings: Settings,
    champion: Router | None,
    challenger: Router,
    rows: Sequence[LabelledPrompt],
    notify: Notify,
) -> Comparison | None:
    """Compare on held-out prompts that the champion was not trained on either; None without any."""
    models = [name for name in challenger.models if any(name in row.scores for row in rows)]
    if not models:
        return None
    chosen = _choices(settings, challenger, rows, models, notify)
    if champion is None:
        return compare(rows, [challenger.best_single] * len(rows), chosen)
    return compare(rows, _choices(settings, champion, rows, models, notify), chosen)


def _choices(
    settings: Settings,
    router: Router,
    rows: Sequence[LabelledPrompt],
    models: Sequence[str],
    notify: Notify,
) -> list[str]:
    vectors = embed_prompts(router_embedder(settings, router.embedder), rows, notify)
    decisions = local_router(settings, router, models).choose(vectors, [row.prompt for row in rows])
    return [decisions.model(row) for row in range(len(decisions))]
