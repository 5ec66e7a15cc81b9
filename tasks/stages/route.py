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
from router_core.monitoring.familiarity import Familiarity
from router_core.policy.cold_start import insert_cold_start_models
from router_core.predictors.answer_tokens import expected_answers
from router_core.router import Router
from tasks.money.expected_costs import costs_of, lengths_of
from tasks.settings import Settings
from tasks.stages.canary_split import ArmAssignment, assign
from tasks.stages.candidates import allowed_models, candidates, default_model, has_choice, names_by_price
from tasks.stages.chunk_lease import claimed_chunk
from tasks.stages.context import WorkerContext
from tasks.stages.exploration import explored
from tasks.stages.prompts import prompts_of
from tasks.stages.trade import preferences_of
from tasks.store import batches, chunk_requests, chunks, decisions
from tasks.store.batch_options import BatchOptions
from tasks.store.learning import exploration
from tasks.store.routers import drift, roles
from tasks.store.values import HeldChunk, HeldRequest, RoutedRequest

_NONE: frozenset[str] = frozenset()


def route_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Route one chunk and open its dispatch chunks; back to the embed stage when its vectors are gone."""
    with claimed_chunk(context, chunk_id, epoch, chunks.ROUTE) as held:
        if held is None:
            return
        with context.store.read() as connection:
            requests = chunk_requests.requests_of(connection, held.id)
            current = roles.read(connection)
        arms = assign(context, current, requests)
        router, vectors = arms[0].router, None
        # With one model there is nothing to choose, and nobody has embedded the prompts.
        if router is not None and has_choice(context.settings, held.options):
            vectors = context.vectors.get(held.id, held.vector_epoch, router.embedder.fingerprint)
            if vectors is None or len(vectors) != len(requests):
                _send_back_to_embed(context, held)
                return
        routed = [_route_arm(context, held.options, arm, requests, vectors) for arm in arms]
        _record(context, held, requests, routed, labels=_label_counts(router))
        context.vectors.drop(held.id, held.vector_epoch)


@dataclass(frozen=True, slots=True)
class _RoutedArm:
    """The decisions on one router's share of a chunk.

    Attributes:
        router: The router that decided; None where the default model stands in for it.
        decisions: The decisions, in the order of the requests.
        observed: What the drift statistics need of the prompts; None where the router has no reference.
        familiarity: The prompts like and unlike the router's labels; None where it does not tell.
    """

    router: Router | None
    decisions: list[RoutedRequest]
    observed: DriftSums | None = None
    familiarity: Familiarity | None = None


def _send_back_to_embed(context: WorkerContext, held: HeldChunk) -> None:
    with context.store.write() as connection:
        batches.lock(connection, held.batch_no)
        chunks.pass_on(connection, held, to_stage=chunks.EMBED)


def _route_arm(
    context: WorkerContext,
    options: BatchOptions,
    arm: ArmAssignment,
    requests: Sequence[HeldRequest],
    vectors: npt.NDArray[np.float32] | None,
) -> _RoutedArm:
    """Decide on one router's share of a chunk."""
    own_requests = [requests[row] for row in arm.rows]
    router = arm.router if vectors is not None else None
    own_vectors = vectors[arm.rows] if vectors is not None else None
    chosen = decide(context.settings, router, options, own_requests, own_vectors)
    priors = context.settings.priors if router else {}
    version = arm.version if router else None
    routed = _routed(own_requests, chosen, priors=priors, version=version, arm=arm.arm)
    if router is None or own_vectors is None:
        return _RoutedArm(router, routed)
    reference = router.drift_reference
    return _RoutedArm(
        router,
        routed,
        reference.observe(own_vectors, chosen.category) if reference else None,
        Familiarity.of(chosen.novelty),
    )


def _record(
    context: WorkerContext,
    held: HeldChunk,
    requests: Sequence[HeldRequest],
    routed: Sequence[_RoutedArm],
    *,
    labels: Mapping[str, int],
) -> None:
    """Explore on a share of the decisions, and store all that follows from them in one transaction."""
    in_order = sorted((one for arm in routed for one in arm.decisions), key=lambda one: one.request_id)
    final, drawn = explored(requests, in_order, held.options, labels=labels)
    with context.store.write() as connection:
        # Before its payer is locked: see `batches.charge`.
        batch = exploration.locked_exploration_batch(connection, held.batch_no) if drawn else None
        decisions.record(connection, held, final)
        for arm in routed:
            if (router := arm.router) is not None:
                drift.add(
                    connection,
                    held.batch_no,
                    router.version,
                    router.drift_reference,
                    arm.observed,
                    arm.familiarity,
                )
        if batch is not None:
            exploration.add_answers(connection, batch, drawn)


def decide(
    settings: Settings,
    router: Router | None,
    options: BatchOptions,
    requests: Sequence[HeldRequest],
    vectors: npt.NDArray[np.float32] | None,
) -> Decisions:
    """Return the router's decisions; without a router or vectors, the default model for all requests."""
    models = candidates(settings, options)
    texts = prompts_of((request.endpoint, request.body) for request in requests)
    if router is None or vectors is None:
        names = names_by_price(models)
        return default_decisions(
            len(texts),
            names,
            default_model(settings, models),
            allowed=allowed_models(_left_out(requests), names),
        )
    able = tuple(model.name for model in models)
    scored = router.predict(vectors, texts)
    answers = expected_answers(router, scored, able).or_else([model.expected_tokens for model in models])
    return router.decide(
        scored,
        models=able,
        costs=costs_of(lengths_of(requests), [model.price for model in models], answers),
        preferences=preferences_of(settings, options, router),
        tau=settings.router.tau,
        shift=settings.router.shift,
        allowed=allowed_models(_left_out(requests), able),
    )


def _left_out(requests: Sequence[HeldRequest]) -> list[frozenset[str]]:
    """Return the names of the models that cannot answer each request."""
    return [_names_in(request.left_out) if request.left_out else _NONE for request in requests]


@lru_cache(maxsize=1024)
def _names_in(left_out: str) -> frozenset[str]:
    return frozenset(json.loads(left_out))


def _routed(
    requests: Sequence[HeldRequest],
    chosen: Decisions,
    *,
    priors: Mapping[str, float],
    version: str | None,
    arm: str | None,
) -> list[RoutedRequest]:
    """Return the decisions as they are stored; built column by column, for a chunk has hundreds."""
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
    return [_routed_request(request, *values, version=version, arm=arm) for request, *values in columns]


def _routed_request(
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
    if request.model is not None:  # it names its model: the decision records only its category
        ranking, used_fallback, reason = (request.model,), False, "named_model"
    return RoutedRequest(
        request.id, ranking[0], category, predicted, ranking, gap, used_fallback, reason, None, version, arm
    )


def _rankings(chosen: Decisions, priors: Mapping[str, float]) -> Sequence[tuple[str, ...]]:
    """Return each prompt's ranking, with models that the router does not know ranked by their priors."""
    rankings = chosen.rankings()
    unknown = np.flatnonzero(np.isnan(chosen.predicted).all(axis=0))
    if priors.keys().isdisjoint(chosen.models[column] for column in unknown):
        return rankings
    return [
        insert_cold_start_models(ranking, chosen.predicted_scores(row), priors)
        for row, ranking in enumerate(rankings)
    ]


def _label_counts(router: Router | None) -> dict[str, int]:
    """Return the number of labels of each model, by the record of the training."""
    return dict(router.training.get("scores_by_model", {})) if router else {}
