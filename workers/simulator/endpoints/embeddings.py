"""`POST /v1/embeddings` (OpenAI API reference, "Create embeddings"): unit vectors by the text's hash."""

import base64
import hashlib
import math
import struct
from random import Random
from typing import Any

from workers.simulator.endpoints.endpoint import SimulatedEndpoint, simple_request
from workers.simulator.errors import bad_request
from workers.simulator.plans import Plan
from workers.simulator.requests import ChatRequest, count_tokens

#: the limits of one request, as OpenAI has them
MAX_INPUTS = 2048
MAX_TOKENS = 300_000
_DIMENSIONS = 16
_MAX_DIMENSIONS = 3072

_Input = str | list[int]


def vector_of(given: _Input, dimensions: int = _DIMENSIONS) -> list[float]:
    """Return the unit vector of a text or of token ids."""
    seed = hashlib.blake2b(repr(given).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    random = Random(seed)
    values = [random.gauss(0, 1) for _ in range(dimensions)]
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]


def _read(raw: dict[str, Any]) -> ChatRequest:
    inputs = _inputs(raw.get("input"))
    if raw.get("encoding_format") not in (None, "float", "base64"):
        raise bad_request("'encoding_format' must be float or base64")
    tokens = sum(len(one) if isinstance(one, list) else count_tokens(one) for one in inputs)
    if tokens > MAX_TOKENS:
        raise bad_request(f"requested {tokens} tokens, max {MAX_TOKENS} tokens per request")
    text = "\n".join(one for one in inputs if isinstance(one, str))
    return simple_request(raw, text, content=raw["input"], tokens=tokens, limit=0)


def _inputs(given: object) -> list[_Input]:
    one = isinstance(given, str) or (isinstance(given, list) and given and isinstance(given[0], int))
    inputs: Any = [given] if one else given
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MAX_INPUTS:
        raise bad_request(f"'input' must hold 1 to {MAX_INPUTS} texts or lists of token ids")
    if not all(isinstance(one, (str, list)) and one for one in inputs):
        raise bad_request("'input' must not hold an empty text")
    return inputs


def _write(_plan: Plan, request: ChatRequest, raw: dict[str, Any]) -> dict[str, Any]:
    dimensions = min(raw.get("dimensions") or _DIMENSIONS, _MAX_DIMENSIONS)
    as_base64 = raw.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector_of(one, dimensions), as_base64)}
        for index, one in enumerate(_inputs(raw["input"]))
    ]
    usage = {"prompt_tokens": request.prompt_tokens, "total_tokens": request.prompt_tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}


def _encoded(vector: list[float], as_base64: bool) -> list[float] | str:
    if not as_base64:
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


EMBEDDINGS = SimulatedEndpoint(path="/v1/embeddings", read=_read, write=_write, answers="data")
