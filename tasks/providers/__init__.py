"""Calls to LLM providers: single calls without retries, and sanitised errors.

The providers are in `composite_provider` and the modules that it imports, which need the `dispatch` extra.
"""

from tasks.providers.errors import (
    ErrorKind,
    InternalError,
    ModelPausedError,
    ProviderError,
    RetryableError,
    TerminalError,
)
from tasks.providers.interface import Deployment, Provider, Reply

__all__ = [
    "Deployment",
    "ErrorKind",
    "InternalError",
    "ModelPausedError",
    "Provider",
    "ProviderError",
    "Reply",
    "RetryableError",
    "TerminalError",
]
