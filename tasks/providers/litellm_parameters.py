"""How parameters of a request become arguments of LiteLLM, and which of them LiteLLM drops for a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tasks.parameters import CHAT_PARAMETERS
from tasks.parameters.samples import samples_of
from tasks.providers.chat_parameters import chat_parameters, extra_parameters, unsent
from tasks.providers.interface import Deployment
from tasks.providers.litellm_setup import import_litellm

#: providers with all of OpenAI's API, also with what LiteLLM has no argument for
_OPENAI = frozenset(("azure", "hosted_vllm", "openai", "openrouter"))
_AROUND = frozenset(name for name, parameter in CHAT_PARAMETERS.items() if parameter.in_extra_body)
#: arguments of LiteLLM that it passes on to the provider
_PASSED_ON = frozenset(("cache_control", "context_management", "thinking"))
_MESSAGES = [{"role": "user", "content": "x"}]


class LiteLLMArguments(NamedTuple):
    """The arguments for a request, and the names of its parameters that the provider will not get."""

    arguments: dict[str, Any]
    dropped: tuple[str, ...]


def litellm_arguments(deployment: Deployment, model: str, body: Mapping[str, Any]) -> LiteLLMArguments:
    """Return the arguments of LiteLLM's completion functions for a body.

    Args:
        deployment: The deployment that is called.
        model: LiteLLM's name of its model, with the prefix that is used for this call.
        body: The request.
    """
    given, extra = _set(chat_parameters(body)), _set(extra_parameters(deployment, body))
    around, dropped = _lost(model, given, own_server=deployment.api_base is not None)
    arguments = {name: value for name, value in given.items() if name not in around | dropped}
    extra |= {name: given[name] for name in around}
    if _takes_extra_body(model):
        arguments |= {"extra_body": extra} if extra else {}
    else:
        owned = {name for name in extra if _is_litellms_own(name)}
        arguments |= {name: value for name, value in extra.items() if name not in owned}
        dropped |= owned
    return LiteLLMArguments(arguments, tuple(sorted(dropped | unsent(deployment, body))))


def dropped_parameters(model: str, given: Mapping[str, Any], *, own_server: bool) -> frozenset[str]:
    """Return the parameters that do not reach a model: LiteLLM leaves out what it does not support.

    Args:
        model: LiteLLM's name of the model.
        given: The parameters of a request.
        own_server: Whether the settings name the server (`api_base`). One that serves none of OpenAI's own
            models is an own server, of which LiteLLM knows nothing: it gets every parameter.
    """
    return _lost(model, _set(given), own_server=own_server)[1]


def _lost(model: str, given: Mapping[str, Any], *, own_server: bool) -> tuple[frozenset[str], frozenset[str]]:
    """Return the parameters that LiteLLM would lose: those sent around it, and those that are not sent."""
    samples = samples_of(given)
    if not samples:
        return frozenset(), frozenset()
    lost = _dropped(model, samples)
    if _is_unknown_server(model, own_server=own_server):
        return lost, frozenset()
    around = lost & _AROUND if _provider_of(model)[1] in _OPENAI else frozenset()
    return around, lost - around


@lru_cache(maxsize=4096)
def _dropped(model: str, parameters: str) -> frozenset[str]:
    """Return the parameters (JSON) without which LiteLLM would build the same request for the model."""
    given: dict[str, Any] = json.loads(parameters)
    around = given.keys() & _AROUND
    rest = {name: value for name, value in given.items() if name not in around}
    try:
        whole = _built(model, rest)
        alike = {
            name for name in rest if _built(model, {n: v for n, v in rest.items() if n != name}) == whole
        }
    except Exception:  # it refuses their combination, and will refuse the call
        alike = set()
    return frozenset(alike | around)


def _built(model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provider's parameters that LiteLLM makes of OpenAI's."""
    name, provider = _provider_of(model)
    # A copy, for some of LiteLLM's adapters change what they are given.
    copied = json.loads(json.dumps({**given, "messages": _MESSAGES}))
    built: dict[str, Any] = import_litellm().utils.get_optional_params(
        model=name, custom_llm_provider=provider, drop_params=True, **copied
    )
    return built


@lru_cache(maxsize=256)
def _is_unknown_server(model: str, *, own_server: bool) -> bool:
    provider, _, name = model.partition("/")
    if provider == "hosted_vllm":
        return True
    known = import_litellm().open_ai_chat_completion_models
    return provider == "openai" and own_server and name.rpartition("/")[2] not in known


@lru_cache(maxsize=256)
def _provider_of(model: str) -> tuple[str, str]:
    """Return LiteLLM's names of a model and of its provider; the latter is empty for an unknown one."""
    try:
        name, provider, *_ = import_litellm().get_llm_provider(model=model)
    except Exception:  # the call will fail with it
        return model, ""
    return str(name), str(provider)


def _takes_extra_body(model: str) -> bool:
    """Return whether LiteLLM puts what is in `extra_body` into the request, as it does for OpenAI's API."""
    provider = _provider_of(model)[1]
    return provider in _OPENAI or provider in import_litellm().openai_compatible_providers


@lru_cache(maxsize=1024)
def _is_litellms_own(name: str) -> bool:
    """Return whether an argument of this name is LiteLLM's own; other ones reach the provider unchanged."""
    from inspect import signature

    from litellm.types.utils import is_litellm_owned_kwarg

    arguments = signature(import_litellm().acompletion).parameters
    return name not in _PASSED_ON and (name in arguments or bool(is_litellm_owned_kwarg(name)))


def _set(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that are not null: for LiteLLM, null is the same as nothing."""
    return {name: value for name, value in parameters.items() if value is not None}
