"""What the requests of a reading set where they set it not themselves: a system message, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tasks.endpoints.endpoint import Endpoint
from tasks.endpoints.registry import ENDPOINTS
from tasks.formats.errors import OptionsError
from tasks.formats.inputs.cells import plain_values

_Fields = dict[str, Any]
#: what is a system message, by the role of the first or any other message
_SYSTEM_ROLES = frozenset({"system", "developer"})
#: the parameters that limit an answer: where one of them is set, there is a limit
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What requests get that do not set it; a request of an endpoint that does not know it goes without.

    Attributes:
        system: The system message of conversations, and the instructions of responses.
        temperature: The temperature.
        max_tokens: The limit on the tokens of an answer.
    """

    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def over(self, request: _Fields, endpoint: Endpoint) -> _Fields:
        """Return the request with these defaults for what it does not set."""
        given = {**request, **self._parameters(request, endpoint)}
        return given if self.system is None else _with_system(given, self.system, endpoint)

    def _parameters(self, request: Mapping[str, Any], endpoint: Endpoint) -> _Fields:
        found: _Fields = {}
        is_unset = request.get("temperature") is None
        if self.temperature is not None and is_unset and "temperature" in endpoint.parameters:
            found["temperature"] = self.temperature
        if self.max_tokens is not None and endpoint.limit_key and not any(map(request.get, _LIMITS)):
            found[endpoint.limit_key] = self.max_tokens
        return found


def checked_defaults(defaults: Defaults, path: str) -> Defaults:
    """Return the defaults; raises OptionsError for one that is wrong, or that the endpoint does not know."""
    endpoint = ENDPOINTS[path]
    if defaults.system is not None:
        if not isinstance(defaults.system, str) or not defaults.system.strip():
            raise OptionsError("system is not a text")
        if endpoint.input_key != "messages" and "instructions" not in endpoint.parameters:
            raise OptionsError(f"{path} takes no system message")
    numbers: Any = plain_values({"temperature": defaults.temperature, "max_tokens": defaults.max_tokens})
    plain = replace(defaults, **numbers)
    _check_parameter("temperature", "temperature", plain.temperature, endpoint)
    _check_parameter("max_tokens", endpoint.limit_key, plain.max_tokens, endpoint)
    return plain


def _check_parameter(option: str, name: str | None, value: object, endpoint: Endpoint) -> None:
    if value is None:
        return
    if name is None or name not in endpoint.parameters:
        raise OptionsError(f"{endpoint.path} takes no {option}")
    kind = endpoint.parameters[name].kind
    if not kind.accepts(value):
        raise OptionsError(f"{option} is not {kind.name}")


def _with_system(request: _Fields, system: str, endpoint: Endpoint) -> _Fields:
    if endpoint.input_key == "messages":
        messages = request.get("messages")
        if not isinstance(messages, list) or any(map(_is_system, messages)):
            return request
        return {**request, "messages": [{"role": "system", "content": system}, *messages]}
    items = request.get("input")
    if isinstance(items, list) and any(map(_is_system, items)):
        return request
    if "instructions" in endpoint.parameters and request.get("instructions") is None:
        return {**request, "instructions": system}
    return request


def _is_system(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") in _SYSTEM_ROLES
