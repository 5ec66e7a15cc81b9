"""The parameters of a chat completion that a batch may set (OpenAI API reference, "Create chat completion").

This is an allow list. The body becomes keyword arguments of LiteLLM, which also takes `api_base`, `api_key`,
`mock_response` and others that a batch file must never set.
"""

import re
from collections.abc import Mapping

from tasks.formats.errors import LineRejected

PARAMETERS = frozenset({
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls",
    "prediction", "presence_penalty", "prompt_cache_key", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "temperature",
    "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip
_REQUEST = PARAMETERS | {"messages", "model"}
_MAX_TOKENS = 2**31 - 1
_NAME = re.compile(r"[\w./:@-]{1,80}")


def quoted_name(name: object) -> str:
    """Return the name in quotes if it looks like one, else `given`: other text may be part of a prompt."""
    return f"'{name}'" if isinstance(name, str) and _NAME.fullmatch(name) else "given"


def check_parameters(request: Mapping[str, object]) -> int | None:
    """Check the parameters and return the answer's token limit, if set; raises LineRejected."""
    unknown = request.keys() - _REQUEST
    if unknown:
        raise _invalid(f"the parameter {quoted_name(min(unknown, key=str))} is not supported in a batch")
    if request.get("stream"):
        raise _invalid("stream is set; a batch has no one to stream to")
    if request.get("n") not in (None, 1):
        raise _invalid("n is not 1; a request has one answer")
    limits = [_token_limit(request, name) for name in ("max_completion_tokens", "max_tokens")]
    if None not in limits:
        raise _invalid("max_tokens and max_completion_tokens are both set; which one bounds the answer?")
    return next((limit for limit in limits if limit is not None), None)


def _token_limit(request: Mapping[str, object], name: str) -> int | None:
    value = request.get(name)
    if value is None:
        return None
    if type(value) is int and 0 < value <= _MAX_TOKENS:
        return value
    raise _invalid(f"{name} is not a positive whole number")


def _invalid(reason: str) -> LineRejected:
    return LineRejected("invalid_parameter", reason)
