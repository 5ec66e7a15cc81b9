"""Epsilon exploration: a share of the router's decisions is drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router_core.policy.exploration import explore
from tasks.endpoints.registry import endpoint_of
from tasks.store.batch_options import BatchOptions
from tasks.store.learning.exploration import EXPLORATION, DrawnRequest
from tasks.store.values import HeldRequest, RoutedRequest


def explored(
    requests: Sequence[HeldRequest],
    routed: Sequence[RoutedRequest],
    options: BatchOptions,
    *,
    labels: Mapping[str, int],
) -> tuple[list[RoutedRequest], list[DrawnRequest]]:
    """Draw the model of a share of the decisions at random (epsilon exploration).

    Args:
        requests: The requests of a chunk, [n].
        routed: The router's decisions on them, [n].
        options: The options of their batch; `explore` is epsilon.
        labels: The number of labels of each model: those with few are drawn more often.

    Returns:
        All decisions, and the requests whose model was drawn, which the other candidates answer as well.
    """
    if not options.explore:
        return list(routed), []
    found: list[RoutedRequest] = []
    drawn: list[DrawnRequest] = []
    for request, one in zip(requests, routed, strict=True):
        if request.model is not None or not endpoint_of(request.endpoint).answers_text:
            found.append(one)
            continue
        # By the request's id: a chunk that is routed again draws the same.
        chosen = explore(one.ranking, epsilon=options.explore, key=str(request.id), labels=labels)
        one = one._replace(propensity=chosen.propensity)
        if chosen.drawn:
            model, *others = chosen.ranking
            one = one._replace(model=model, ranking=chosen.ranking, reason=EXPLORATION)
            if not options.route_only and others:
                drawn.append(DrawnRequest(request, one.category, model, tuple(others)))
        found.append(one)
    return found, drawn
