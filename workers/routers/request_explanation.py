"""The explanation of the decision for one request of a batch, from the store and the router that decided."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.errors import UsageError
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.page import request_facts
from tasks.store.page.request_facts import RequestFacts
from tasks.store.routers import versions
from workers.routers.promotion import SOURCE_OF_STORE_LABELS

if TYPE_CHECKING:
    from router_core.explanation import Explanation
    from tasks.store.batch_options import BatchOptions


@dataclass(frozen=True)
class RequestExplanation:
    """Why a router chose a model for a request.

    Attributes:
        explanation: The parts; the router decides anew on this prompt alone.
        router_version: The version that decided.
        labels: Where the labels come from whose ids the neighbours are, for people.
        chosen_then: The model that was chosen in the batch, which may differ from the one chosen anew.
    """

    explanation: Explanation
    router_version: str
    labels: str
    chosen_then: str


def explained_request(settings: Settings, store: Store, batch_no: int, custom_id: str) -> RequestExplanation:
    """Return the explanation of a request's decision.

    Raises:
        UsageError: There is no such request, no router has decided on it, or its router or prompt is gone.
        ConfigurationError: The embedder on this machine is not the router's.
        ImportError: This host lacks what the router needs.
    """
    with store.read() as connection:
        facts = request_facts.find(connection, batch_no, custom_id)
        options = batches.options_of(connection, batch_no)
    if facts is None:
        raise UsageError("the batch has no such request")
    if facts.decision is None or not facts.decision["router_version"]:
        raise UsageError("no router has decided on this request")
    if not facts.row["body"]:
        raise UsageError("its prompt is deleted, and without it the router cannot decide again")
    version, ranking = facts.decision["router_version"], facts.ranking
    found = _explanation(settings, store, facts, replace(options, models=tuple(ranking)))
    return RequestExplanation(found, version, _labels_of(store, version), ranking[0])


def _explanation(settings: Settings, store: Store, facts: RequestFacts, options: BatchOptions) -> Explanation:
    from workers.routers.batch_router import DefaultModel, batch_router

    assert facts.decision is not None
    router = batch_router(settings, options, _path_of(settings, store, facts.decision["router_version"]))
    if isinstance(router, DefaultModel):
        raise UsageError(router.name)
    text = endpoint_of(facts.row["endpoint"] or CHAT_PATH).prompt_of(json.loads(facts.row["body"]))
    (found,) = router.explain([text], router.decide([text]))
    return found


def _path_of(settings: Settings, store: Store, version: str) -> Path:
    """Return the directory of a version: from the store, or that of the settings."""
    from router_core.router import Router
    from tasks.stages.router_cache import RouterCache

    try:
        return RouterCache(store, settings.home / "routers").path(version)
    except UsageError:
        path = settings.router.path
        if path is None or Router.load(path).version != version:
            raise
        return path


def _labels_of(store: Store, version: str) -> str:
    with store.read() as connection:
        known = {one.version: one.source for one in versions.list_versions(connection)}
    source = known.get(version)
    if source == SOURCE_OF_STORE_LABELS:
        return "the store's labels: custom_ids of collected batches"
    return "the labels that the router was trained on" + (f" (it is from {source})" if source else "")
