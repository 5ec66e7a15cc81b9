"""The parameters of OpenAI's API, each with the kind of its value.

What a table names is accepted in a line and sent to every model. Nothing else is, but for the extra
parameters that a model takes (`tasks.parameters.extra`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tasks.parameters.kinds import (
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXT_OR_OBJECT,
    TEXT_OR_TEXTS,
    TEXTS,
    TOKENS,
    WHOLE_NUMBER,
    YES_OR_NO,
    Kind,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an endpoint.

    Attributes:
        name: Its key in the body.
        kind: What its value may be.
        in_extra_body: LiteLLM has no argument for it, or one of the same name with another meaning
            (`metadata` is for its own logs). It reaches the provider inside of LiteLLM's `extra_body`.
    """

    name: str
    kind: Kind
    in_extra_body: bool = False


def table(*parameters: Parameter) -> Mapping[str, Parameter]:
    """Return the parameters of one endpoint by their names."""
    return MappingProxyType({parameter.name: parameter for parameter in parameters})


#: OpenAI API reference, "Create chat completion"; `messages` and `model` are no parameters
CHAT_PARAMETERS: Mapping[str, Parameter] = table(
    Parameter("audio", OBJECT),
    Parameter("frequency_penalty", NUMBER),
    Parameter("function_call", TEXT_OR_OBJECT),
    Parameter("functions", OBJECTS),
    Parameter("logit_bias", OBJECT),
    Parameter("logprobs", YES_OR_NO),
    Parameter("max_completion_tokens", TOKENS),
    Parameter("max_tokens", TOKENS),
    Parameter("metadata", OBJECT, in_extra_body=True),
    Parameter("modalities", TEXTS),
    Parameter("n", WHOLE_NUMBER),
    Parameter("parallel_tool_calls", YES_OR_NO),
    Parameter("prediction", OBJECT),
    Parameter("presence_penalty", NUMBER),
    Parameter("prompt_cache_key", TEXT),
    Parameter("prompt_cache_retention", TEXT, in_extra_body=True),
    Parameter("reasoning_effort", TEXT),
    Parameter("response_format", OBJECT),
    Parameter("safety_identifier", TEXT),
    Parameter("seed", WHOLE_NUMBER),
    Parameter("service_tier", TEXT),
    Parameter("stop", TEXT_OR_TEXTS),
    Parameter("store", YES_OR_NO),
    Parameter("stream", YES_OR_NO),
    Parameter("temperature", NUMBER),
    Parameter("tool_choice", TEXT_OR_OBJECT),
    Parameter("tools", OBJECTS),
    Parameter("top_logprobs", WHOLE_NUMBER),
    Parameter("top_p", NUMBER),
    Parameter("user", TEXT),
    Parameter("verbosity", TEXT),
    Parameter("web_search_options", OBJECT),
)
#: accepted where they say nothing, and never sent: Waybill reads one whole answer
NOT_SENT = frozenset({"stream"})
