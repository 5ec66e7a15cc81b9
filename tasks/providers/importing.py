"""Imports LiteLLM, which takes seconds, and makes it do nothing but make calls, over a transport of ours."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from tasks.providers.transport import WatchedTransport

_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx", "httpcore")


@cache
def import_litellm() -> Any:
    """The module `litellm`, quiet and offline; the first call takes seconds."""
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
    return litellm


def _use_our_transport() -> None:
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    # LiteLLM has no setting for it: `aclient_session` reaches openai's client, but not Anthropic's.
    AsyncHTTPHandler.create_async_transport = staticmethod(lambda **_: WatchedTransport())
