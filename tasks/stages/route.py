"""The route stage: vectors become decisions, a whole chunk at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from router_core.decisions import Decisions, default_decisions
from router_core.monitoring.drift_reference import DriftSums
from router_core.policy.cold_start import insert_cold_start_models
from router_core.policy.exploration import explore
from router_core.pricing import expected_costs
from router_core.router import Router
from tasks.settings import ModelSettings, Settings
from tasks.stages.canary_split import ArmAssignment, assign
from tasks.stages.candidates import names_by_price, candidates, has_choice, default_model
from tasks.stages.chunk_lease import claimed_chunk
from tasks.stages.context import WorkerContext
from tasks.stages.prompts import prompts_of
from tasks.store import batches, chunk_requests, chunks, decisions
from tasks.store.learning import exploration
from tasks.store.learning.exploration import EXPLORATION, Drawn
from tasks.store.routers import drift, roles
from tasks.store.values import BatchOptions, HeldRequest, RoutedRequest


def route_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Route one chunk and open its dispatch chunks; back to the embed stage when its vectors are gone."""
    with claimed_chunk(context, chunk_id, epoch, chunks.ROUTE) as held:
        if held is None:
            return
        with context.store.read() as connection:
            requests = chunk_requests.requests_of(connection, held.id)
            current = roles.read(connection)
        sides = assign(context, current, requests)
        # With one model there is nothing to choose, and nobody has embedded the prompts.
        router = sides[0].router if has_choice(context.settings, held.options) else None
        vectors = None
        if router is not None:
            vectors = context.vectors.get(held.id, held.vector_epoch, router.embedder.fingerprint)
        if router is not None and (vectors is None or len(vectors) != len(requests)):
            with context.store.write() as connection:
                batches.lock(connection, held.batch_no)
                chunks.pass_on(connection, held, to_stage=chunks.EMBED)
            return
        decided = [_route_arm(context, held.options, side, requests, vectors) for side in sides]
        in_order = sorted((one for part in decided for one in part.routed), key=lambda one: one.request_id)
        labels = _labels_of(sides[0].router)
        routed, drawn = explored(requests, in_order, held.options, labels=labels)
        with context.store.write() as connection:
            # Before its payer is locked: see `batches.charge`.
            companion = exploration.locked_exploration_batch(connection, held.batch_no) if drawn else None
            decisions.record(connection, held, routed)
            for part in decided:
                if (router := part.router) is not None:
                    drift.add(connection, held.batch_no, router.version, router.drift_reference, part.seen)
            if companion is not None:
                exploration.add_answers(connection, companion, drawn)
        context.vectors.drop(held.id, held.vector_epoch)


@dataclass(frozen=True, slots=True)
class _RoutedArm:
    """One router's share of a chunk, and what it saw of it; router None: the default model stood in."""

    router: Router | None
    routed: list[RoutedRequest]
    seen: DriftSums | None = None


def _route_arm(
    context: WorkerContext,
    options: BatchOptions,
    side: ArmAssignment,
    requests: Sequence[HeldRequest],
    vectors: npt.NDArray[np.float32] | None,
) -> _RoutedArm:
    """Return the decisions on one router's share of a chunk."""
    mine = [requests[row] for row in side.rows]
    router = side.router if vectors is not None else None
    own = vectors[side.rows] if vectors is not None else None
    chosen = decide(context.settings, router, options, mine, own)
    priors = context.settings.priors if router else {}
    version = side.version if router else None
    routed = _routed(mine, chosen, priors=priors, version=version, arm=side.arm)
    if router is None or own is None or router.drift_reference is None:
        return _RoutedArm(router, routed)
    return _RoutedArm(router, routed, router.drift_reference.observe(own, chosen.category))


def decide(
    settings: Settings,
    router: Router | None,
    options: BatchOptions,
    requests: Sequence[HeldRequest],
    vectors: npt.NDArray[np.float32] | None,
) -> Decisions:
    """Return the router's decisions on these requests, or the default model for all while there is no router."""
    models = candidates(settings, options)
    texts = prompts_of(request.body for request in requests)
    if router is None or vectors is None:
        return default_decisions(len(texts), names_by_price(models), default_model(settings, models))
    costs = _expected_costs(requests, texts, models)
    return router.route(
        vectors,
        texts,
        models=[model.name for model in models],
        costs=costs,
        policy=options.policy or settings.router.policy,
        tau=settings.router.tau,
        quality_floor=options.quality_floor,
        cost_weight=options.cost_weight,
        budget=options.budget_per_1000,
    )


def _expected_costs(
    requests: Sequence[HeldRequest], texts: Sequence[str], models: Sequence[ModelSettings]
) -> npt.NDArray[np.float64]:
    """Return what each model would probably charge, dollars [n, m]; a request's `max_tokens` bounds its answer."""
    allowed = np.array([request.max_tokens or np.inf for request in requests])[:, None]
    answers = np.minimum(allowed, [model.expected_tokens for model in models])
    return expected_costs([len(text) for text in texts], [m.price for m in models], output_tokens=answers)


def _routed(
    requests: Sequence[HeldRequest],
    chosen: Decisions,
    *,
    priors: Mapping[str, float],
    version: str | None,
    arm: str | None,
) -> list[RoutedRequest]:
    """Return the decisions as they are stored, column by column: a chunk has hundreds."""
    columns = zip(
        requests,
        _rankings(chosen, priors),
        chosen.category_names(),
        chosen.predicted_json(),
        [gap if math.isfinite(gap) else None for gap in chosen.gap.tolist()],
        chosen.used_fallback.tolist(),
        chosen.reason_names(),
        strict=True,
    )
    return [_one(request, *values, version=version, arm=arm) for request, *values in columns]


def _one(
    request: HeldRequest,
    ranking: tuple[str, ...],
    category: str | None,
    predicted: str,
    gap: float | None,
    used_fallback: bool,
    reason: str,
    *,
    version: str | None,
    arm: str | None,
) -> RoutedRequest:
    if request.model is not None:  # it named its model; only its category was of interest
        ranking, used_fallback, reason = (request.model,), False, "named_model"
    listed = _listed(ranking)
    return RoutedRequest(
        request.id, ranking[0], category, predicted, listed, gap, used_fallback, reason, None, version, arm
    )


def _rankings(chosen: Decisions, priors: Mapping[str, float]) -> Sequence[tuple[str, ...]]:
    """Return each prompt's ranking; models that the router does not know stand where their priors put them."""
    rankings = chosen.rankings()
    unknown = np.flatnonzero(np.isnan(chosen.predicted).all(axis=0))
    if priors.keys().isdisjoint(chosen.models[column] for column in unknown):
        return rankings
    return [
        insert_cold_start_models(ranking, chosen.predicted_scores(row), priors)
        for row, ranking in enumerate(rankings)
    ]


@lru_cache(maxsize=1024)
def _listed(ranking: tuple[str, ...]) -> str:
    """Return the ranking as JSON; few different ones fill a chunk."""
    return json.dumps(ranking)


def _labels_of(router: Router | None) -> dict[str, int]:
    """Return how many labels each model has, by the record of the training."""
    return dict(router.training.get("scores_by_model", {})) if router else {}


def explored(
    requests: Sequence[HeldRequest],
    routed: Sequence[RoutedRequest],
    options: BatchOptions,
    *,
    labels: Mapping[str, int],
) -> tuple[list[RoutedRequest], list[Drawn]]:
    """Return the decisions after a share of them was drawn, and what the other candidates are to answer as well."""
    if not options.explore:
        return list(routed), []
    found: list[RoutedRequest] = []
    drawn: list[Drawn] = []
    for request, one in zip(requests, routed, strict=True):
        if request.model is not None:
            found.append(one)
            continue
        # By the request's id: a chunk that is routed again draws the same.
        ranking = json.loads(one.ranking)
        chosen = explore(ranking, epsilon=options.explore, key=str(request.id), labels=labels)
        one = one._replace(propensity=chosen.propensity)
        if chosen.drawn:
            model, *others = chosen.ranking
            one = one._replace(model=model, ranking=json.dumps(chosen.ranking), reason=EXPLORATION)
            if not options.route_only and others:
                drawn.append(Drawn(request, one.category, model, tuple(others)))
        found.append(one)
    return found, drawn
