"""Evaluation of a router on held-out labelled prompts, or of a training procedure by cross-validation.

A router carries the hashes of all prompts that any part of it was trained on. Rows with such prompts are left
out, so that no training data leaks into the evaluation, or they are included and the result is flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, model_names
from router_core.data.splits import assign_folds, splits
from router_core.errors import LabelsError
from router_core.evaluation.evaluated_policies import PolicyNumbers
from router_core.evaluation.joined_outputs import join_outputs
from router_core.evaluation.report import build_report
from router_core.evaluation.result import DataSummary, Evaluation, RouterSummary
from router_core.evaluation.router_outputs import RouterOutputs, collect_outputs
from router_core.evaluation.shift_estimates import shift_notes
from router_core.policy.shift import margin_of
from router_core.router import Router

Array = NDArray[np.float32]


def row_uses(
    router: Router, rows: Sequence[LabelledPrompt], *, include_training: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows [n] the router was trained on, which are kept, and which have a score of its models.

    It needs no embeddings: a file without a row to use is refused before they are made.

    Raises:
        LabelsError: No row is left.
    """
    trained_on = router.training_prompts.contains([row.prompt for row in rows])
    kept = np.ones(len(rows), dtype=np.bool_) if include_training else ~trained_on
    if len(rows) and not kept.any():
        raise LabelsError(
            f"the router has learnt from the prompts of all {len(rows):,} rows: evaluate it on others"
            " (--include-training takes them nonetheless, and says so)"
        )
    judged = np.array([bool(row.scores.keys() & set(router.models)) for row in rows], dtype=np.bool_)
    if not (kept & judged).any():
        raise LabelsError("no row has a score of a model of the router")
    return trained_on, kept, judged


def evaluate(
    router: Router,
    rows: Iterable[LabelledPrompt],
    vectors: Array,
    *,
    include_training: bool = False,
    numbers: PolicyNumbers = PolicyNumbers(),  # noqa: B008  # it is frozen
    threads: int = 1,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a router on labelled prompts.

    Args:
        router: The router.
        rows: The labelled prompts [n].
        vectors: Their embeddings, float32 [n, d], in the order of the rows.
        include_training: Whether to use rows whose prompts the router was trained on. They are left out by
            default; if they are included, the result is flagged as not held out.
        numbers: The parameters of the policies.
        threads: The number of threads of the predictors.
        seed: The seed of the bootstrap and of the splits in halves.

    Raises:
        LabelsError: No row is left, or a budget is to be kept and the costs of a model are not known.
    """
    rows = list(rows)
    trained_on, kept, judged = row_uses(router, rows, include_training=include_training)
    used = np.flatnonzero(kept & judged)
    outputs = collect_outputs(
        router,
        [rows[row] for row in used],
        vectors[used],
        router.models,
        numbers=numbers,
        score_range=router.hyperparameters.score_range,
        threads=threads,
    )
    data = replace(
        summarise_data(rows, outputs, models=router.models),
        learnt_from=int(trained_on.sum()),
        training_included=include_training,
        without_scores=int((kept & ~judged).sum()),
    )
    prompts = [rows[row].prompt for row in used]
    summary = summarise_routers([router], router.models)
    return build_report(outputs, prompts, data, summary, budget=numbers.budget, seed=seed)


def cross_validate(
    rows: Sequence[LabelledPrompt],
    vectors: Array,
    train: Callable[[Sequence[LabelledPrompt], Array], Router],
    *,
    folds: int = 5,
    seed: int = 0,
    numbers: PolicyNumbers = PolicyNumbers(),  # noqa: B008  # it is frozen
    threads: int = 1,
) -> Evaluation:
    """Evaluate a training procedure by cross-validation, with folds split by prompt.

    Args:
        rows: The labelled prompts [n].
        vectors: Their embeddings, float32 [n, d], in the order of the rows.
        train: The procedure, from labelled prompts and their embeddings to a router.
        folds: The number of folds.
        seed: The seed of the folds, the bootstrap and the splits in halves.
        numbers: The parameters of the policies.
        threads: The number of threads of the predictors.
    """
    models = model_names(rows)
    known = [score for row in rows for score in row.scores.values()]
    score_range = (max(known) - min(known)) or 1.0
    parts, routers, order = [], [], []
    prompts = [row.prompt for row in rows]
    for training, held_out in splits(assign_folds(prompts, folds=folds, seed=seed)):
        router = train([rows[row] for row in training], vectors[training])
        parts.append(
            collect_outputs(
                router,
                [rows[row] for row in held_out],
                vectors[held_out],
                models,
                numbers=numbers,
                score_range=score_range,
                threads=threads,
            )
        )
        routers.append(router)
        order.append(held_out)
    outputs = join_outputs(parts, np.concatenate(order))
    return build_report(
        outputs,
        prompts,
        summarise_data(rows, outputs, models=models),
        summarise_routers(routers, models),
        budget=numbers.budget,
        seed=seed,
    )


def summarise_data(
    rows: Sequence[LabelledPrompt], outputs: RouterOutputs, *, models: Sequence[str]
) -> DataSummary:
    """Return the summary of labelled rows, none of which were left out, and of the outputs on them."""
    outcomes = outputs.outcomes
    return DataSummary(
        rows=len(rows),
        used=len(outcomes),
        learnt_from=0,
        training_included=False,
        without_scores=0,
        missing_scores=int((~outcomes.judged).sum()),
        missing_costs=int((~np.isfinite(outcomes.costs)).sum()),
        unknown_scores=sum(len(row.scores.keys() - set(models)) for row in rows),
        unknown_models=tuple(name for name in model_names(rows) if name not in models),
    )


def summarise_routers(routers: Sequence[Router], models: tuple[str, ...]) -> RouterSummary:
    """Return the summary of a router, or of the routers of several folds."""
    conservative = {
        policy
        for router in routers
        for policy in router.hyperparameters.margins
        if margin_of(router.hyperparameters, policy) is None
    }
    return RouterSummary(
        version=routers[0].version if len(routers) == 1 else "",
        models=models,
        best_single=routers[0].best_single,
        tau=float(np.mean([router.hyperparameters.tau for router in routers])),
        conservative_policies=tuple(sorted(conservative)),
        estimates=tuple(shift_notes(routers[0].training)) if len(routers) == 1 else (),
    )
