"""The explanation of a routing decision, as a process: it loads the router, and reads the prompt by itself.

It reads ids as JSON from stdin, and writes JSON to stdout: no text of a prompt passes through either.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from router_core.errors import RouterCoreError
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.errors import UsageError, WaybillError
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.page import request_facts
from tasks.store.page.request_facts import RequestFacts
from workers.api.child import answer


def explained(settings: Settings, store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the explanation of a request's decision, or `error`.

    Args:
        settings: The settings.
        store: The store.
        asked: `batch_no` and `custom_id`.
    """
    with store.read() as connection:
        facts = request_facts.find(connection, asked["batch_no"], asked["custom_id"])
        options = batches.options_of(connection, asked["batch_no"])
    if facts is None or facts.decision is None or not facts.decision["router_version"]:
        return {"error": "no router has decided on this request"}
    try:
        return _explanation(settings, store, facts, options)
    except ImportError as error:
        return {"error": f"this host cannot load the router: it needs {error.name} (extras embed and route)"}
    except (WaybillError, RouterCoreError) as error:
        return {"error": str(error)}


def _explanation(settings: Settings, store: Store, facts: RequestFacts, options: Any) -> dict[str, Any]:
    from workers.routers.local_router import DefaultModel, batch_router

    assert facts.decision is not None
    path = _path_of(settings, store, facts.decision["router_version"])
    router = batch_router(settings, replace(options, models=tuple(facts.ranking)), path)
    if isinstance(router, DefaultModel):
        return {"error": router.name}
    text = endpoint_of(facts.row["endpoint"] or CHAT_PATH).prompt_of(json.loads(facts.row["body"]))
    (found,) = router.explain([text], router.decide([text]))
    return asdict(found)


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


if __name__ == "__main__":
    answer(explained)
