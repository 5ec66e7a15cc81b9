"""Values that fit a JSON schema, as a model with structured outputs returns them."""

from collections.abc import Mapping
from random import Random
from typing import Any

_MAX_DEPTH = 8
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord")


def value_for(schema: Any, random: Random, *, root: Any = None, depth: int = 0) -> Any:
    """Return a value that fits the schema, of the keywords that structured outputs allow."""
    root = schema if root is None else root
    schema = _resolve(schema, root)
    if not isinstance(schema, Mapping):
        return None
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if schema.get("enum"):
        return random.choice(list(schema["enum"]))
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword):
            return value_for(schema[keyword][0], random, root=root, depth=depth + 1)
    return _by_type(_type_of(schema), schema, random, root, depth)


def _resolve(schema: Any, root: Any) -> Any:
    """Follow a reference within the document, such as `#/$defs/name`."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        found = root
        for name in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            found = found.get(name, {}) if name and isinstance(found, Mapping) else found
        schema = found
    return {}


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return str(next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind)


def _by_type(kind: str, schema: Mapping[str, Any], random: Random, root: Any, depth: int) -> Any:
    match kind:
        case "object":
            return _object(schema, random, root, depth)
        case "array":
            length = schema.get("minItems", 1) if depth < _MAX_DEPTH else schema.get("minItems", 0)
            return [
                value_for(schema.get("items", {}), random, root=root, depth=depth + 1) for _ in range(length)
            ]
        case "integer" | "number":
            return _number(schema, random)
        case "boolean":
            return random.random() < 0.5
        case "null":
            return None
        case _:
            return random.choice(_WORDS).ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _object(schema: Mapping[str, Any], random: Random, root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    names = list(properties) if depth < _MAX_DEPTH else [name for name in properties if name in required]
    return {name: value_for(properties[name], random, root=root, depth=depth + 1) for name in names}


def _number(schema: Mapping[str, Any], random: Random) -> int:
    low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
    high = int(schema.get("maximum", schema.get("exclusiveMaximum", low + 97) - 1))
    return random.randint(low, max(low, high))
