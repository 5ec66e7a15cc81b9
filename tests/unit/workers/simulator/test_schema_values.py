"""Values that fit a JSON schema, for structured outputs and tool calls."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from workers.simulator.schema_values import value_for

jsonschema = pytest.importorskip("jsonschema")

SCHEMAS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "minLength": 12, "maxLength": 14},
    {"type": "integer", "minimum": 3, "maximum": 4},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["null", "integer"]},
    {"enum": ["a", 2, None]},
    {"const": {"a": 1}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {"steps": {"type": "array", "items": {"$ref": "#/$defs/step"}}},
        "required": ["steps"],
        "additionalProperties": False,
        "$defs": {"step": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    },
    {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
        "required": ["value", "next"],
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_a_value_fits_its_schema(schema: dict[str, Any]) -> None:
    for seed in range(5):
        jsonschema.validate(value_for(schema, Random(seed)), schema)


def test_a_schema_that_holds_itself_ends() -> None:
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert isinstance(value_for(schema, Random(0)), dict)


def test_a_reference_that_leads_nowhere_is_any_text() -> None:
    assert value_for({"$ref": "#/$defs/none"}, Random(0)) is not None
