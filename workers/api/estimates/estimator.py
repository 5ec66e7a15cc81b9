"""The dry run of a file, as a process: it loads the router, and keeps the server free for others.

It reads what is asked as JSON from stdin (ids and options, no text of a prompt), and writes JSON to stdout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from router_core.errors import RouterCoreError
from tasks.batch_api.errors import ApiError
from tasks.batch_api.lines import InvalidFile, StorageFails, of_endpoint, readable
from tasks.batch_api.options import api_options, batch_options
from tasks.errors import WaybillError
from tasks.files.opening import open_storage
from tasks.formats.inputs.options import InputFormat, InputOptions
from tasks.settings import Settings
from tasks.store.api import files, keys
from tasks.store.api.keys import Key
from tasks.store.engine import Store
from tasks.submission.source import BatchInput, Item, from_files
from workers import estimates
from workers.api.child import answer


def estimated(settings: Settings, store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the estimate of a key's file with these options, or `error`.

    Args:
        settings: The settings.
        store: The store.
        asked: `key_id`, `file_id`, `endpoint` and the `metadata` of the batch.
    """
    with store.read() as connection:
        key = keys.find(connection, asked["key_id"])
    try:
        options = batch_options(settings, key, api_options(asked["metadata"], "24h"))
        found = estimates.estimated(_lines(settings, store, key, asked), settings, store, options)
    except InvalidFile as error:
        return {"error": error.errors[0]["message"]}
    except RouterCoreError:  # its text names a path of this host
        return {"error": "the server cannot read its router: its operator must see to it", "status": 500}
    except (ApiError, WaybillError) as error:
        return {"error": str(error)}
    except (StorageFails, OSError):
        return {"error": "the file cannot be read now", "status": 503}
    return found.to_dict()


def _lines(settings: Settings, store: Store, key: Key, asked: dict[str, Any]) -> Iterable[Item]:
    with store.read() as connection:
        file = files.find(connection, key.id, asked["file_id"])
    if file is None or file["stored_as"] is None:
        raise ApiError("the file is not there any more")
    endpoint = asked["endpoint"]
    lines = from_files(
        [open_storage(settings).location(file["stored_as"])],
        settings,
        models=key.models or (),
        of_key=bool(key.models),
        options=InputOptions(format=InputFormat.JSONL, endpoint=endpoint),
    )
    return BatchInput(lambda: of_endpoint(readable(lines), endpoint))


if __name__ == "__main__":
    answer(estimated)
