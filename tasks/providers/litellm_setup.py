"""The import of LiteLLM, without its logging, telemetry and pricing, and with Waybill's HTTP transport."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tasks.processes import freeze_loaded_objects
from tasks.providers.litellm_sync_transport import WatchedSyncTransport
from tasks.providers.litellm_transport import WatchedTransport

#: the fields of a message that the API of OpenAI takes as null
_NULLABLE = frozenset(("content", "refusal", "audio"))
_LOADING = threading.Lock()
_LOGGERS = ("openai", "httpx", "httpcore")
#: its warnings and errors quote what requests hold, such as the URL of an image
_QUOTING_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


@cache
def import_litellm() -> Any:
    """Return the module `litellm`, configured; the first call takes seconds."""
    # LiteLLM reads these at import and at the first call to Anthropic; without them, it downloads lists.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
    # It would read a `.env` above its own folder: keys and addresses would change in the middle of a run.
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.turn_off_message_logging = True
    litellm.redact_messages_in_exceptions = True
    for name in ("input_callback", "success_callback", "failure_callback", "callbacks", "service_callback"):
        setattr(litellm, name, [])
    for names, level in ((_LOGGERS, logging.WARNING), (_QUOTING_LOGGERS, logging.CRITICAL)):
        for name in names:
            logging.getLogger(name).setLevel(level)
    # Pydantic's warnings quote a field of another type than LiteLLM expects, which may be an answer.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
    # For some providers LiteLLM fetches the images of messages itself: never from a private address.
    litellm.user_url_validation, litellm.user_url_allowed_hosts = True, []
    # Dispatch decides about retries: for embeddings, LiteLLM takes `max_retries=0` for no value.
    litellm.DEFAULT_MAX_RETRIES = 0
    _set_transport(litellm)
    _disable_pricing(litellm)
    _disable_gateway()
    _keep_nulls(litellm)
    return litellm


async def loaded_litellm() -> Any:
    """Return LiteLLM; the first call of a process loads it in a thread, while the event loop goes on."""
    if not import_litellm.cache_info().currsize:
        await asyncio.to_thread(_load)
    return import_litellm()


def _load() -> None:
    with _LOADING:
        if not import_litellm.cache_info().currsize:
            import_litellm()
            freeze_loaded_objects()


@contextmanager
def unlogged() -> Iterator[None]:
    """Skip LiteLLM's logging of successes and failures, a seventh of its CPU time, within this context.

    LiteLLM has no public option for this; it uses this flag for its own nested calls.
    """
    from litellm._internal_context import is_internal_call

    token = is_internal_call.set(True)
    try:
        yield
    finally:
        is_internal_call.reset(token)


def _set_transport(litellm: Any) -> None:
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    # LiteLLM has no option for this: `aclient_session` applies to openai's client, but not to Anthropic's.
    AsyncHTTPHandler.create_async_transport = staticmethod(lambda **_: WatchedTransport())
    # Some of its providers have only a client that blocks; LiteLLM calls it in a thread.
    litellm.sync_transport = WatchedSyncTransport()


def _keep_nulls(litellm: Any) -> None:
    # LiteLLM leaves every null out of a message; there are servers that want `content` in every turn.
    litellm.utils.cleanup_none_field_in_message = lambda message: {
        name: value for name, value in message.items() if value is not None or name in _NULLABLE
    }


def _disable_gateway() -> None:
    from litellm.responses import main

    # Every call of `aresponses` would import the tools of LiteLLM's proxy, which needs packages of the proxy.
    main._responses_try_dispatch_mcp_gateway = lambda **_: None


def _disable_pricing(litellm: Any) -> None:
    # LiteLLM would price every response by its own list, which takes a tenth of its CPU time. The ledger uses
    # the prices of the settings instead.
    litellm.utils.update_response_metadata = lambda **_: None
