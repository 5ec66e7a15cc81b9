"""Imports LiteLLM, which takes seconds, and makes it do nothing but make calls, over a transport of ours."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tasks.providers.litellm_transport import WatchedTransport

_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx", "httpcore")


@cache
def import_litellm() -> Any:
    """Return the module `litellm`, quiet and offline; the first call takes seconds."""
    # LiteLLM reads it at import, and without it fetches a price list from the network.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.turn_off_message_logging = True
    litellm.redact_messages_in_exceptions = True
    for name in ("input_callback", "success_callback", "failure_callback", "callbacks", "service_callback"):
        setattr(litellm, name, [])
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    _use_our_transport()
    _leave_prices_out(litellm)
    return litellm


@contextmanager
def unlogged() -> Iterator[None]:
    """Calls within this context skip LiteLLM's logging of successes and failures, a seventh of its work.

    It has no public switch; its own nested calls use this one.
    """
    from litellm._internal_context import is_internal_call

    token = is_internal_call.set(True)
    try:
        yield
    finally:
        is_internal_call.reset(token)


def _use_our_transport() -> None:
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    # LiteLLM has no setting for it: `aclient_session` reaches openai's client, but not Anthropic's.
    AsyncHTTPHandler.create_async_transport = staticmethod(lambda **_: WatchedTransport())


def _leave_prices_out(litellm: Any) -> None:
    # It would price every answer by its own list, a tenth of its work; our ledger has the operator's prices.
    litellm.utils.update_response_metadata = lambda **_: None
