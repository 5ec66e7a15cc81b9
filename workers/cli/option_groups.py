"""Options that several commands share, declared once as the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import Parameter
from typing import Any, get_type_hints

_Command = Callable[..., None]


def with_options(group: type[Any]) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command the fields of a dataclass as options.

    They stand in place of the command's parameter of that class, which gets them as one value.
    """

    def decorate(command: _Command) -> _Command:
        signature = inspect.signature(command, eval_str=True)
        own = {name: one.replace(kind=Parameter.KEYWORD_ONLY) for name, one in signature.parameters.items()}
        name = next(name for name, one in own.items() if one.annotation is group)
        options = _parameters(group)

        @wraps(command)
        def with_group(**given: Any) -> None:
            value = group(**{option.name: given.pop(option.name) for option in options})
            command(**given, **{name: value})

        # Typer reads a command's options from its signature.
        flat = [option for key, one in own.items() for option in (options if key == name else [one])]
        with_group.__signature__ = signature.replace(parameters=flat)  # type: ignore[attr-defined]
        with_group.__annotations__ = {option.name: option.annotation for option in flat}
        return with_group

    return decorate


def _parameters(group: type[Any]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(group)
    ]
