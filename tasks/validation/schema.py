"""JSON schemas: compiled without network or files, within bounds, and applied to values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

#: the largest schema, as compact JSON; OpenAI's own limit is 120,000 characters
MAX_SCHEMA_CHARS = 256 << 10
MAX_SCHEMA_DEPTH = 64
#: compiled schemas, and results of `schema_error`, that are kept
MAX_COMPILED = 256
#: the bounds of a schema's patterns: steps back, and bytes of a compiled pattern and of all together
BACKTRACK_LIMIT = 100_000
PATTERN_BYTES = 8 << 20
ALL_PATTERNS_BYTES = 128 << 20

_NAME = re.compile(r"[\w$.:@ -]{1,64}")


class SchemaError(ValueError):
    """A schema that cannot be used; the text says why, and quotes nothing but names of its keys."""


class TooCostlyError(Exception):
    """A value whose check takes too many steps."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """The place in a value that does not fit, as a JSON pointer, and the keyword that it breaks."""

    pointer: str
    keyword: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.keyword}"


def schema_text(schema: object) -> str:
    """Return a schema, which may be JSON text, as compact JSON.

    Raises:
        SchemaError: It is no JSON object, or too large.
    """
    if isinstance(schema, str):
        schema = _parsed(schema)
    if not isinstance(schema, dict):
        raise SchemaError("is not a JSON object")
    try:
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        raise SchemaError("is not JSON") from None
    if len(text) > MAX_SCHEMA_CHARS:
        raise SchemaError(f"is longer than {MAX_SCHEMA_CHARS} characters")
    return text


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=MAX_COMPILED)
def schema_error(text: str) -> str | None:
    """Return why a schema cannot be used; None if it can."""
    try:
        _Compiled(text)
    except SchemaError as error:
        return str(error)
    return None


def misfit(text: str, value: object) -> Misfit | None:
    """Return where a value does not fit a schema; None if it fits.

    Raises:
        SchemaError: The schema cannot be used.
        TooCostlyError: A pattern of the schema takes too many steps.
    """
    return _compiled(text).misfit(value)


class _Compiled:
    """A compiled schema; `$ref` is followed inside it only."""

    def __init__(self, text: str) -> None:
        import jsonschema_rs

        schema = json.loads(text)
        if _depth_exceeds(schema, MAX_SCHEMA_DEPTH):
            raise SchemaError(f"is nested more than {MAX_SCHEMA_DEPTH} levels deep")
        size = min(PATTERN_BYTES, ALL_PATTERNS_BYTES // max(1, _count_patterns(schema)))
        options = jsonschema_rs.FancyRegexOptions(
            backtrack_limit=BACKTRACK_LIMIT, size_limit=size, dfa_size_limit=size
        )
        try:
            self._validator = jsonschema_rs.validator_for(schema, offline=True, pattern_options=options)
        except jsonschema_rs.ValidationError as error:
            raise SchemaError(_compile_error(error)) from None
        except (ValueError, TypeError) as error:
            raise SchemaError(f"cannot be compiled ({type(error).__name__})") from None
        self._names = frozenset(_names(schema))

    def misfit(self, value: object) -> Misfit | None:
        import jsonschema_rs

        kinds = jsonschema_rs.ValidationErrorKind
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            if isinstance(error.kind, kinds.BacktrackLimitExceeded | kinds.RegexEngineFailure):
                raise TooCostlyError from None
            return Misfit(_pointer(error.instance_path, self._names), error.kind.name)
        except (UnicodeError, OverflowError):
            return Misfit("#", "half a surrogate pair")
        return None


_compiled = lru_cache(maxsize=MAX_COMPILED)(_Compiled)


def _compile_error(error: Any) -> str:
    name = error.kind.name
    if name == "$ref":
        return "has a $ref or $schema that it does not hold itself; nothing is fetched"
    pointer = _pointer(error.instance_path, None)
    if error.schema_path[-1:] == ["pattern"]:
        return f"has a pattern that cannot be used at {pointer}"
    return f"is no JSON schema at {pointer} ({name})"


def _pointer(path: Iterable[str | int], names: frozenset[str] | None) -> str:
    """Return a path as a JSON pointer, with `*` for names that are not in the schema but in an answer."""
    return "".join(["#", *(f"/{_part(part, names)}" for part in path)])[:200]


def _part(part: str | int, names: frozenset[str] | None) -> str:
    if isinstance(part, int):
        return str(part)
    known = _NAME.fullmatch(part) and (names is None or part in names)
    return part.replace("~", "~0").replace("/", "~1") if known else "*"


def _names(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (key for key in node)
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _names(child)


def _count_patterns(node: object) -> int:
    """Return at most how many patterns a schema has."""
    if isinstance(node, dict):
        by_name = node.get("patternProperties")
        own = len(by_name) if isinstance(by_name, dict) else 0
        return own + ("pattern" in node) + sum(map(_count_patterns, node.values()))
    return sum(map(_count_patterns, node)) if isinstance(node, list) else 0


def _depth_exceeds(node: object, depth: int) -> bool:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
    if children is None:
        return False
    return depth == 0 or any(_depth_exceeds(child, depth - 1) for child in children)
