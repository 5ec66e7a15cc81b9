"""Errors of our own: exceptions that tell of no provider and no network, whoever wraps them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import httpx

#: what a network, a file or a clock raises
_OUTSIDE = (OSError, aiohttp.ClientError, httpx.HTTPError, asyncio.TimeoutError)
#: botocore's and google-auth's names
_CREDENTIALS = frozenset(
    (
        "CredentialRetrievalError", "NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError",
        "UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError",
    )
)  # fmt: skip
#: what no response can cause
_CERTAIN = (ImportError, NameError, MemoryError)


def defect_in(error: BaseException, *, certain: bool) -> str | None:
    """Return the name of the class of the defect that an exception tells of; None if it may be another's.

    Args:
        error: The exception; LiteLLM's hold the original as their context.
        certain: Whether to count only what no response can have caused, such as a package that is missing;
            otherwise any of Python's own exceptions counts.
    """
    chain = list(_chain(error))
    missing = next((one for one in chain if isinstance(one, _CERTAIN)), None)
    if missing is not None:
        return type(missing).__name__
    if certain or any(isinstance(one, _OUTSIDE) for one in chain):
        return None
    innermost = chain[-1]
    return type(innermost).__name__ if type(innermost).__module__ == "builtins" else None


def lacks_credentials(error: BaseException) -> bool:
    """Return whether the host has no identity, or one that has run out, with which to sign a request."""
    return any(type(one).__name__ in _CREDENTIALS for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and what it was raised from, the innermost last."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
