"""The values that a batch file is parsed into: requests, and errors for invalid lines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.parameters.schemas import WITH_SCHEMAS

_COMPACT = (",", ":")
_SORTED = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=_COMPACT, sort_keys=True
)
_IN_ORDER = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=_COMPACT)


class ParsedRequest(NamedTuple):
    """One request of a batch: a tuple, for a file has millions, and a frozen dataclass takes longer to make.

    Attributes:
        line: The line's number, from 1: the row of a Parquet file, the first line of a CSV record.
        custom_id: The given id, or `line-<line>`.
        model: The named model; None if the request is to be routed.
        body: The canonical JSON of the endpoint request, without its model.
        messages: The number of messages.
        prompt: The text for the router: the user messages, joined by blank lines, without NUL characters,
            which PostgreSQL's text type cannot hold. It is empty only if the user sends no text, but
            images or the like.
        max_tokens: The token limit of the answer, if the request sets one.
        endpoint: The path of the API that it is sent to.
        needs: What not every model takes or gives (`tasks.capabilities.capabilities`).
        left_out: The models that cannot answer it, each with the reason; None if all of them can.
        parameters: What the request sets beside its input.
        integer_id: Whether the id was given as a whole number; None where none was given.
    """

    line: int
    custom_id: str
    model: str | None
    body: str
    messages: int
    prompt: str
    max_tokens: int | None
    endpoint: str = CHAT_PATH
    needs: frozenset[str] = frozenset()
    left_out: Mapping[str, str] | None = None
    parameters: Mapping[str, Any] = MappingProxyType({})
    integer_id: bool | None = None


@dataclass(frozen=True, slots=True)
class InputError:
    """An invalid line: `code` is a stable identifier, `reason` is text for people."""

    line: int
    code: str
    reason: str
    custom_id: str | None


@dataclass(frozen=True, slots=True)
class InputLimits:
    """The limits on a batch file and its lines; `max_file_bytes` is the size after decompression."""

    max_line_bytes: int = 4 << 20
    max_depth: int = 64
    max_prompt_chars: int = 1_000_000
    max_lines: int = 50_000_000
    max_file_bytes: int = 256 << 30


def canonical_body(request: dict[str, Any]) -> str:
    """Return compact JSON that is equal for requests that differ only in the order of their keys.

    The order inside JSON schemas is kept: a model fills the properties of a structured answer in that order.

    Raises:
        ValueError: A value is NaN or infinite.
        TypeError: A value is not JSON.
    """
    if WITH_SCHEMAS.isdisjoint(request):
        return _SORTED.encode(request)
    return _IN_ORDER.encode(dict(sorted(request.items())))


def body_hash(body: str) -> bytes:
    """Return the 16-byte BLAKE2b digest of a text."""
    return blake2b(body.encode(), digest_size=16).digest()


def request_hash(model: str | None, body: str, endpoint: str = CHAT_PATH) -> bytes:
    """Return the hash that duplicates share: of the model that the request names, if any, and the body.

    Requests of other endpoints than chat completions have different hashes.
    """
    path = "" if endpoint == CHAT_PATH else f"{endpoint}\n"
    return body_hash(f"{path}{model or ''}\n{body}")
