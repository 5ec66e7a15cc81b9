"""What is wrong in the settings, in sentences: which model or table, which key, and the fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

#: how alike a key must be to be named, 0 to 1
_NEARNESS = 0.6
_KEYS_STAY = "keys stay in the environment: api_key_env names the variable"
_SECRETS = ("api_key", "key", "apikey", "token", "secret", "password")
_MISSING = {
    "litellm": "it is LiteLLM's name of the model, such as openai/gpt-4o-mini",
    "name": "any name of yours",
}

Location = Sequence[str | int]


def problems_text(error: ValidationError, settings: type[BaseModel], file: Mapping[str, Any]) -> str:
    """Return all problems that a validation found; no value is quoted, as it may be a secret.

    Args:
        error: The error of the validation.
        settings: The class that the values were validated with.
        file: The values of the file and of the running stack; others are from the environment.
    """
    return "; ".join(_problem(one, settings, file) for one in error.errors())


def _problem(problem: Any, settings: type[BaseModel], file: Mapping[str, Any]) -> str:
    place, key = problem["loc"][:-1], problem["loc"][-1] if problem["loc"] else ""
    where, kind = _where(place, file), problem["type"]
    variable = "" if not problem["loc"] or _is_in(problem["loc"], file) else _variable(problem["loc"])
    if kind == "extra_forbidden":
        return f"{variable}{where}no key {key!r}{_advice(str(key), _known(place, settings))}"
    if kind == "missing":
        return f"{where}{key} is missing{_because(_MISSING.get(str(key)))}"
    if isinstance(key, int):
        return f"{variable}{_where(problem['loc'], file)}{_message(problem)}"
    return f"{variable}{where}{key}: {_message(problem)}" if key else _message(problem)


def _where(place: Location, file: Mapping[str, Any]) -> str:
    """Return the table or model that a key stands in, as people name it."""
    if len(place) > 1 and place[0] == "models" and isinstance(place[1], int):
        inner = "".join(f", {one}" for one in place[2:])
        return f"model {_model_name(place[1], file)}{inner}: "
    return f"[{'.'.join(map(str, place))}] " if place else ""


def _model_name(index: int, file: Mapping[str, Any]) -> str:
    models = file.get("models")
    entry = models[index] if isinstance(models, list) and index < len(models) else None
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return repr(name) if isinstance(name, str) else f"number {index + 1}"


def _advice(key: str, known: Sequence[str]) -> str:
    """Return the key that was probably meant, and what to know of keys of providers."""
    is_secret = "api_key_env" in known and key.lower() in _SECRETS
    near = ["api_key_env"] if is_secret else get_close_matches(key, known, n=1, cutoff=_NEARNESS)
    meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
    return f"{meant} {_KEYS_STAY.capitalize()}" if is_secret else meant


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _known(place: Location, settings: type[BaseModel]) -> list[str]:
    """Return the keys of the table at a place."""
    table = settings
    for step in place:
        if isinstance(step, str):
            table = _table_of(table.model_fields[step].annotation) or table
    return sorted(field.alias or name for name, field in table.model_fields.items())


def _table_of(annotation: Any) -> type[BaseModel] | None:
    """Return the class of a table in an annotation such as `tuple[ModelSettings, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _table_of(one))), None)


def _is_in(place: Location, values: Any) -> bool:
    for step in place:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _variable(place: Location) -> str:
    """Return the environment variable that set a value."""
    named = [str(step).upper() for step in place if isinstance(step, str)]
    return f"${'__'.join(['WAYBILL_' + named[0], *named[1:]])}: "


def _message(problem: Mapping[str, Any]) -> str:
    return str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")
