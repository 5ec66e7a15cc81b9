"""Errors as servers send them, and the classes that they are read as."""

from __future__ import annotations

from typing import Any

from tasks.providers import ErrorKind, ModelPausedError, RetryableError, TerminalError

K = ErrorKind


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


CLASSES = {
    **dict.fromkeys((K.CONTEXT_WINDOW, K.CONTENT_POLICY, K.NOT_FOUND, K.BAD_REQUEST), TerminalError),
    **dict.fromkeys((K.PAYMENT, K.AUTHENTICATION, K.PERMISSION), ModelPausedError),
    **dict.fromkeys((K.RATE_LIMIT, K.SERVER, K.TIMEOUT, K.INVALID_REPLY), RetryableError),
}
