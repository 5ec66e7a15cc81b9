"""The explanation of a routing decision, as a process: it loads the router, and reads the prompt by itself.

It reads ids as JSON from stdin, and writes JSON to stdout: no text of a prompt passes through either.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from router_core.errors import RouterCoreError
from tasks.errors import WaybillError
from tasks.settings import Settings
from tasks.store.engine import Store
from workers.api.child import answer
from workers.routers.request_explanation import explained_request


def explained(settings: Settings, store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the explanation of a request's decision, or `error`.

    Args:
        settings: The settings.
        store: The store.
        asked: `batch_no` and `custom_id`.
    """
    try:
        found = explained_request(settings, store, asked["batch_no"], asked["custom_id"])
    except ImportError as error:
        return {"error": f"this host cannot load the router: it needs {error.name} (extras embed and route)"}
    except (WaybillError, RouterCoreError) as error:
        return {"error": str(error)}
    return {**asdict(found.explanation), "labels": found.labels}


if __name__ == "__main__":
    answer(explained)
