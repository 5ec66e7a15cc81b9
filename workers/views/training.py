"""What a training came to, in a few lines: what the router gains, what holds it back, what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from router_core.evaluation.paired_comparison import Comparison
from router_core.evaluation.shift_estimates import shift_notes
from router_core.policy.preferences import Shift
from router_core.policy.shift import margin_of
from router_core.router import Router
from router_core.training.train import MIN_PROMPTS
from workers.routers.promotion import NEW_PROMPTS

#: so many labelled prompts are often enough for a gain that is sure
_OFTEN_ENOUGH = 200


def training_lines(
    router: Router,
    policy: str,
    output: Path,
    *,
    is_stored: bool,
    configured: Collection[str] = (),
    is_compared: bool = True,
) -> Iterator[str]:
    """Yield the lines.

    Args:
        router: The trained router.
        policy: The policy of the settings; `quality` for one that is not tuned by training.
        output: The router's directory.
        is_stored: Whether the store has it already, so that it can be promoted by its version.
        configured: The models of the settings; none: not to be compared with.
        is_compared: Whether its training compared it with what routes now.
    """
    chosen = policy if policy in router.hyperparameters.margins else "quality"
    margin = margin_of(router.hyperparameters, chosen)
    yield f"router {router.version}: {len(router.models)} models, {_prompts_text(router.training)}"
    if configured and (unknown := sorted(set(router.models) - set(configured))):
        yield _fact("unknown", f"{', '.join(unknown)}: not in [[models]], so nothing is sent there")
    yield _fact("best model", f"{router.best_single}, the best single model: what the router must beat")
    if margin is not None and (trial := _guarded(router, chosen, "guard") or _trial(router, chosen)):
        yield _fact("gain", _gain_text(trial, chosen, router))
        yield _fact("cost", _cost_text(trial["cost"], router))
    yield _fact("tau", _tau_text(router.hyperparameters.tau))
    yield _fact("deviations", _deviations_text(router, margin))
    yield from (_fact("estimate", note) for note in shift_notes(router.training))
    if is_stored and not is_compared and margin is not None:
        yield _fact("next", NEW_PROMPTS)
        return
    yield _fact("next", _next_text(router, margin, output, is_stored=is_stored))


def comparison_lines(
    comparison: Comparison, other: str, policy: str, *, held_out: int, known: int
) -> Iterator[str]:
    """Yield how a new router did on held-out rows, whose counts add up.

    Args:
        comparison: The comparison.
        other: What it is compared with, as people see it.
        policy: The policy of both.
        held_out: The number of held-out rows.
        known: Those of them that the champion has learnt from.
    """
    overall, compared = comparison.overall, held_out - known - comparison.unscored
    rows = f" in {compared:,} rows" if compared != overall.prompts else ""
    gain = f"{overall.gain:+.4f} ± {overall.standard_error:.4f}"
    yield f"against {other} (policy {policy}): {gain} on {overall.prompts:,} held-out prompts{rows}"
    if overall.challenger_cost is not None and overall.champion_cost is not None:
        costs = (
            f"${1000 * overall.challenger_cost:.3f} per 1,000, {other} ${1000 * overall.champion_cost:.3f}"
        )
        yield f"  cost: {costs}"
    if known:
        yield f"  left out: {known:,} rows of prompts that the champion has learnt from"
    if comparison.unscored:
        yield f"  left out: {comparison.unscored:,} rows without a score of a model that was chosen"
    for name, one in comparison.by_category.items():
        yield f"  {name}: {one.gain:+.4f} ± {one.standard_error:.4f} on {one.prompts}"
    rest = overall.prompts - sum(one.prompts for one in comparison.by_category.values())
    if comparison.by_category and rest > 0:
        yield f"  {rest:,} prompts have no category in the labels"


def _prompts_text(training: Mapping[str, Any]) -> str:
    """Return the number of different prompts, and of rows where prompts repeat."""
    prompts, rows = training["prompts"], training["rows"]
    return f"{prompts:,} prompts" + (f" in {rows:,} rows" if rows != prompts else "")


def _fact(name: str, text: str) -> str:
    return f"  {name:<12}{text}"


def _trial(router: Router, policy: str) -> Mapping[str, Any] | None:
    """Return the trial of the margin that the training chose for a policy; None where it records none."""
    margin = router.hyperparameters.margins[policy]
    trials = router.training.get("trials", {}).get(policy, [])
    return next((trial for trial in trials if trial["setting"] == margin), None)


def _guarded(router: Router, policy: str, shift: Shift) -> Mapping[str, Any] | None:
    """Return the trial of a policy on prompts like the labels under this shift; None without a record."""
    estimates = ((router.training.get("shift") or {}).get(shift) or {}).get(policy)
    return estimates["familiar"] if estimates else None


def _gain_text(trial: Mapping[str, Any], policy: str, router: Router) -> str:
    unguarded = _guarded(router, policy, "none")
    guard = " with the shift guard" if unguarded else ""
    without = f"; without the guard {_with_error(unguarded)}" if unguarded else ""
    how = f"policy {policy}{guard}, cross-validated on these prompts{without}"
    return f"{_with_error(trial)} over always {router.best_single} ({how})"


def _with_error(trial: Mapping[str, Any]) -> str:
    return f"{trial['gain']:+.4f} ± {trial['standard_error']:.4f}"


def _cost_text(cost: float, router: Router) -> str:
    curves = router.training.get("curves", {})
    if not curves.get("costs_in_dollars", True):  # then costs are ranks
        return "not known: not all models have costs in the labels"
    if cost <= 0:
        return "not known: the labels have no costs"
    single = curves.get("single_models", {}).get(router.best_single)
    other = f", always {router.best_single} ${1000 * single['cost']:.3f}" if single else ""
    return f"${1000 * cost:.3f} per 1,000 prompts{other}"


def _tau_text(tau: float) -> str:
    if not tau:
        return "0: the predicted scores decide alone, the pairwise classifier would add nothing"
    return f"{tau:.3g}: where two predictions are closer than this, the pairwise classifier decides"


def _deviations_text(router: Router, margin: float | None) -> str:
    single = router.best_single
    if router.training["prompts"] < MIN_PROMPTS:
        return f"none: every prompt goes to {single}, as always below {MIN_PROMPTS} labelled prompts"
    if margin is None:
        return f"none: no other choice gained for sure, so every prompt goes to {single}"
    by = f" by at least {margin * router.hyperparameters.score_range:.3g}" if margin else ""
    return f"prompts leave {single} for a model that is predicted to be better{by}"


def _next_text(router: Router, margin: float | None, output: Path, *, is_stored: bool) -> str:
    prompts = router.training["prompts"]
    if margin is None and prompts < _OFTEN_ENOUGH:
        return f"label more prompts: {_OFTEN_ENOUGH} are often enough, {prompts:,} are there"
    if margin is None:
        return f"use {router.best_single} for all, or label more prompts, of kinds where models differ"
    if is_stored:
        return f"`waybill promote {router.version} --if-better`"
    return (
        f"`waybill evaluate HELD_OUT --router {output}` on other labels, "
        f'then path = "{output}" under [router], or `waybill promote {output}`'
    )
