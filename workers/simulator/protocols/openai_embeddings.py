"""OpenAI's embeddings, unit vectors by the text's hash: platform.openai.com/docs/api-reference/embeddings."""

import base64
import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.inputs import TextOrIds, all_text, tokens_of
from workers.simulator.protocols.protocol import Call
from workers.simulator.requests import ChatRequest, messages_digest, model_of
from workers.simulator.token_counts import TokenCounts

#: the limits of one request, as OpenAI has them
MAX_INPUTS = 2048
MAX_TOKENS = 300_000
_DIMENSIONS = 16
_MAX_DIMENSIONS = 3072


def vector_of(given: TextOrIds, dimensions: int = _DIMENSIONS) -> list[float]:
    """Return the unit vector of a text or of token ids."""
    seed = hashlib.blake2b(repr(given).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    random = Random(seed)
    values = [random.gauss(0, 1) for _ in range(dimensions)]
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]


@dataclass(frozen=True, kw_only=True)
class _EmbeddingsRequest(ChatRequest):
    inputs: tuple[TextOrIds, ...]
    dimensions: int
    as_base64: bool


class CompatibleEmbeddings(Compatible):
    """The endpoint `/embeddings` of a server without a brand."""

    paths: ClassVar[tuple[str, ...]] = ("/embeddings",)

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request; raises RefusedError, also above OpenAI's limits."""
        inputs = _inputs(raw.get("input"))
        if raw.get("encoding_format") not in (None, "float", "base64"):
            raise bad_request("'encoding_format' must be float or base64")
        tokens = sum(map(tokens_of, inputs))
        if tokens > MAX_TOKENS:
            raise bad_request(f"requested {tokens} tokens, max {MAX_TOKENS} tokens per request")
        return _EmbeddingsRequest(
            model=model_of(raw),
            prompt=all_text(inputs),
            digest=messages_digest([{"input": raw["input"]}]),
            prompt_tokens=tokens,
            max_tokens=0,
            inputs=inputs,
            dimensions=min(raw.get("dimensions") or _DIMENSIONS, _MAX_DIMENSIONS),
            as_base64=raw.get("encoding_format") == "base64",
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a list of embeddings."""
        usage = call.usage
        return {
            "object": "list",
            "data": [] if call.is_empty else _data(call),
            "model": call.request.model,
            **({} if usage is None else {"usage": self.usage(usage, call)}),
        }

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage: there is no output."""
        return {"prompt_tokens": counts.prompt, "total_tokens": counts.total}


class OpenAIEmbeddings(CompatibleEmbeddings):
    """The same endpoint of OpenAI."""

    name: ClassVar[str] = "openai"
    needs_key: ClassVar[bool] = True


def _inputs(given: Any) -> tuple[TextOrIds, ...]:
    one = isinstance(given, str) or (isinstance(given, list) and given and isinstance(given[0], int))
    inputs = [given] if one else given
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MAX_INPUTS:
        raise bad_request(f"'input' must hold 1 to {MAX_INPUTS} texts or lists of token ids")
    if not all(isinstance(one, (str, list)) and one for one in inputs):
        raise bad_request("'input' must not hold an empty text")
    return tuple(inputs)


def _data(call: Call) -> list[dict[str, Any]]:
    request = call.request
    assert isinstance(request, _EmbeddingsRequest)
    return [
        {
            "object": "embedding",
            "index": index,
            "embedding": None if call.text is None else _encoded(request, one),
        }
        for index, one in enumerate(request.inputs)
    ]


def _encoded(request: _EmbeddingsRequest, given: TextOrIds) -> list[float] | str:
    vector = vector_of(given, request.dimensions)
    if not request.as_base64:
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
