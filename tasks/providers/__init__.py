"""Calls to LLM providers: one call each time, no retries, sanitised errors.

The provider itself is in `litellm_provider`: importing that needs the `dispatch` extra.
"""

from tasks.providers.errors import ErrorKind, ModelPausedError, ProviderError, RetryableError, TerminalError
from tasks.providers.interface import Endpoint, Provider, Reply

__all__ = [
    "Endpoint",
    "ErrorKind",
    "ModelPausedError",
    "Provider",
    "ProviderError",
    "Reply",
    "RetryableError",
    "TerminalError",
]
