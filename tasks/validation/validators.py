"""A user's own validators of an answer's text: `regex:PATTERN`, `json` and `python-syntax`."""

from __future__ import annotations

import ast
import json
import textwrap
import warnings

from tasks.errors import UsageError
from tasks.validation import schema
from tasks.validation.repair import fenced_blocks

MODES = ("off", "flag", "retry")
JSON = "json"
PYTHON_SYNTAX = "python-syntax"
REGEX = "regex:"
#: the largest Python source that is parsed, in characters
MAX_SOURCE_CHARS = 1 << 20
_PYTHON = ("", "python", "python3", "py")


def checked_mode(mode: str) -> str:
    """Return the mode; raises UsageError for one that does not exist."""
    if mode not in MODES:
        raise UsageError(f"validate is {', '.join(MODES[:-1])} or {MODES[-1]}, not {mode[:40]!r}")
    return mode


def checked(validator: str) -> str:
    """Return the validator; raises UsageError for an unknown one, or a pattern that cannot be used."""
    if validator in (JSON, PYTHON_SYNTAX):
        return validator
    if not validator.startswith(REGEX) or validator == REGEX:
        raise UsageError(f"no validator {validator[:40]!r}: {REGEX}PATTERN, {JSON} or {PYTHON_SYNTAX}")
    text = _pattern_schema(validator)
    if len(text) > schema.MAX_SCHEMA_CHARS or schema.schema_error(text):
        raise UsageError(f"the validator {validator[:40]!r} has a pattern that cannot be used")
    return validator


def misfit(validator: str, text: str) -> str | None:
    """Return why a text does not pass a validator other than `json`; None if it passes.

    Raises:
        TooCostlyError: The check takes too many steps.
    """
    if validator == PYTHON_SYNTAX:
        return _python_error(text)
    return "regex" if schema.misfit(_pattern_schema(validator), text.strip()) else None


def _pattern_schema(validator: str) -> str:
    """Return the JSON schema of texts that hold the pattern: schemas and validators share an engine."""
    return json.dumps({"type": "string", "pattern": validator.removeprefix(REGEX)})


def _python_error(text: str) -> str | None:
    """Return why a text is no Python, or the fenced blocks in it are none, where it has any."""
    blocks = list(fenced_blocks(text))
    sources = [source for language, source in blocks if language in _PYTHON] if blocks else [text]
    if not any(source.strip() for source in sources):
        return f"{PYTHON_SYNTAX}: no code"
    return next((error for source in sources if (error := _syntax_error(source))), None)


def _syntax_error(source: str) -> str | None:
    if len(source) > MAX_SOURCE_CHARS:
        raise schema.TooCostlyError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(textwrap.dedent(source))
    except SyntaxError as error:
        return f"{PYTHON_SYNTAX}: line {error.lineno}"
    except ValueError:  # NUL characters
        return f"{PYTHON_SYNTAX}: NUL character"
    except (RecursionError, MemoryError):
        return f"{PYTHON_SYNTAX}: nested too deep"
    return None
