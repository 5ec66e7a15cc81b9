"""Arguments of the Python API as people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

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


def param_columns_of(value: object) -> tuple[str, ...] | None:
    """Return the columns that are parameters; `"none"`, as on the command line, is no column at all.

    Raises:
        UsageError: It is neither a text nor texts.
    """
    names = None if value is None else names_of("param_columns", value)
    return () if names == ("none",) else names


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
