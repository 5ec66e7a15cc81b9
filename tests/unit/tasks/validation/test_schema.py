"""Schemas that can be used, their limits, and that nothing is fetched."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.validation import schema


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"type": "nothing"}, "is no JSON schema at #/type (anyOf)"),
        ({"properties": {"a": {"minimum": "x"}}}, "is no JSON schema at #/properties/a/minimum (type)"),
        ({"$ref": "https://example.com/s.json"}, "has a $ref or $schema"),
        ({"$ref": "file:///etc/passwd"}, "has a $ref or $schema"),
        ({"$ref": "#/$defs/none"}, "has a $ref or $schema"),
        ({"$schema": "https://example.com/mine"}, "has a $ref or $schema"),
        ({"pattern": "(("}, "has a pattern that cannot be used at #/pattern"),
        ({"pattern": "((a{100}){100}){100}"}, "has a pattern that cannot be used at #/pattern"),
    ],
)
def test_a_schema_that_cannot_be_used_has_a_reason(given: Any, reason: str) -> None:
    assert (schema.schema_error(schema.schema_text(given)) or "").startswith(reason)


DRAFT_4 = "http://json-schema.org/draft-04/schema#"
KEYWORDS = [
    "type", "properties", "items", "pattern", "patternProperties", "$ref", "$defs", "$id", "$schema", "anyOf",
    "enum", "format", "required", "additionalProperties", "minimum", "$anchor", "$dynamicRef", "dependencies",
]  # fmt: skip
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(-1e9, 1e9), st.text(max_size=8),
    st.sampled_from(["object", "string", "#", "#/$defs/a", DRAFT_4, "(?<=a)"]),
)  # fmt: skip
NODES = st.recursive(
    VALUES,
    lambda node: st.lists(node, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), node, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), NODES, max_size=4), NODES)
def test_any_object_is_used_as_a_schema_or_refused(given_schema: dict[str, Any], value: object) -> None:
    text = schema.schema_text(given_schema)
    if schema.schema_error(text) is None:
        schema.misfit(text, value)


def test_patterns_have_a_limit_of_memory_each_and_together() -> None:
    def error(count: int, pattern: str) -> str | None:
        given = {"properties": {f"p{n}": {"pattern": f"{pattern}{n}"} for n in range(count)}}
        return schema.schema_error(schema.schema_text(given))

    assert error(1, r"\p{L}{10}") is None
    assert error(2_000, "^[a-z]{2,40}-") is None
    assert error(20, "a{4000}") is None
    assert "pattern" in (error(2_000, "a{4000}") or "")


def test_no_reference_is_fetched_from_disk_or_network(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"type": "integer"}')
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        urls = ((tmp_path / "other.json").as_uri(), f"http://127.0.0.1:{server.getsockname()[1]}/s.json")
        for url in urls:
            for given in ({"$ref": url}, {"$schema": url}, {"$dynamicRef": url}):
                assert "nothing is fetched" in (schema.schema_error(schema.schema_text(given)) or "")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_schema_has_limits() -> None:
    deep: Any = {}
    for _ in range(schema.MAX_SCHEMA_DEPTH - 1):
        deep = {"not": deep}
    assert schema.schema_error(schema.schema_text(deep)) is None
    assert "nested" in (schema.schema_error(schema.schema_text({"not": deep})) or "")
    assert schema.schema_text(' {"a": 1} ') == '{"a":1}'
    for bad in (
        {"title": "a" * schema.MAX_SCHEMA_CHARS},
        [],
        "{",
        None,
        {"a": float("nan")},
        {"a": "\ud800"},
    ):
        with pytest.raises(schema.SchemaError):
            schema.schema_text(bad)
