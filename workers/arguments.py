"""Arguments of the Python API as people give them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from numbers import Real
from typing import Any, Final

from router_core.policy.preferences import POLICIES
from tasks.errors import UsageError
from tasks.formats.errors import OptionsError

_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")

#: what options hold that nobody chose, where it is not None
NOT_CHOSEN: Final[Mapping[str, object]] = {
    "models": (),
    "route_only": False,
    "reuse_any": False,
    "fallback": True,
    "explore": 0.0,
    "validators": (),
    "strict_params": False,
    "priority": "normal",
    "stream": False,
}

#: the numbers of the routing policies
_NUMBERS: Final = ("quality_floor", "cost_weight", "budget_per_1000")


def names_of(option: str, value: object) -> tuple[str, ...]:
    """Return the texts of an option that takes several; a single text is one of them, not its letters.

    Raises:
        UsageError: It is neither a text nor texts.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    names = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(name, str) for name in names):
        raise UsageError(f"{option} is a list of texts, such as {option}=['a', 'b']")
    return names


def column_of(option: str, value: object) -> str | None:
    """Return the name of a column as text; None names none.

    Raises:
        UsageError: It is the name of no column.
    """
    return None if value is None else _column(option, value)


def param_columns_of(value: object) -> tuple[str, ...] | None:
    """Return the columns that are parameters; `"none"`, as on the command line, is no column at all.

    Raises:
        UsageError: They are names of no columns.
    """
    if value is None or isinstance(value, str):
        return () if value in ("none", "") else None if value is None else (str(value),)
    columns = value if isinstance(value, Iterable) and not isinstance(value, bytes) else (value,)
    names = tuple(_column("param_columns", one) for one in columns)
    return () if names == ("none",) else names


def _column(option: str, value: object) -> str:
    """Return a name as text: a data frame's may be a number, a time, or a tuple of several levels."""
    is_several = isinstance(value, Iterable) and not isinstance(value, str | tuple)
    if value is None or isinstance(value, bool | bytes) or is_several:
        raise UsageError(f"{option} is the name of a column, not a {type(value).__name__}")
    return str(value)


def routing_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy among these options and its numbers.

    Raises:
        UsageError: There is no such policy, or a number is none or below 0.
    """
    policy = options.get("policy")
    if policy is not None and policy not in POLICIES:
        raise UsageError(f"policy={policy!r} is none of {', '.join(POLICIES)}")
    return {"policy": policy, **{name: _number(name, options.get(name)) for name in _NUMBERS}}


def _number(name: str, value: object) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
    number = float(value) if is_number else math.nan  # type: ignore[arg-type]
    if not 0 <= number < math.inf:
        raise UsageError(f"{name} is a number from 0 on, such as {name}=0.02, not {value!r}")
    return number


def in_python(text: str) -> str:
    """Return a message with the command's options as arguments: `--id-column` becomes `id_column=`."""
    text = text.replace("--param-columns none", "param_columns=[]")
    return _OPTION.sub(lambda match: match[1].replace("-", "_") + "=", text)


@contextmanager
def errors_in_python() -> Iterator[None]:
    """Let errors of the input name arguments, not the command's options."""
    try:
        yield
    except (OptionsError, UsageError) as error:
        error.args = (in_python(str(error)),)
        raise


def refuse_beside_resume(options: Mapping[str, object], names: Mapping[str, str] | None = None) -> None:
    """Raise UsageError where one of these options is chosen, which an interrupted submission has already.

    Args:
        options: The options of a new batch, by name.
        names: How the command spells those that have another name there.
    """
    chosen = [name for name, value in options.items() if value != NOT_CHOSEN.get(name)]
    if chosen:
        spelt = (f"--{(names or {}).get(name, name).replace('_', '-')}" for name in sorted(chosen))
        raise UsageError(f"--resume goes on with the batch's own options: leave out {', '.join(spelt)}")
