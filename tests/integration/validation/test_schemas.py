"""Schemas that take forever, or that cannot be used."""

from __future__ import annotations

import json

from tasks.formats.outputs.json_lines import openai_line
from tests.support.answer_checks import FIT, ask, records
from tests.support.comparisons import assert_batch
from tests.support.scripted_server import MakeScripted


def test_a_schema_that_takes_forever_costs_no_answer(make_scripted: MakeScripted) -> None:
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"$defs": {**twice, "d40": {"type": "object"}}, "$ref": "#/$defs/d0"}
    harness, _ = make_scripted("{}")
    form = {"type": "json_schema", "json_schema": {"name": "slow", "schema": schema}}
    batch_id = harness.submit([ask(response_format=form)])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=0)
    record = records(harness, batch_id)[0]
    assert record.waybill["unchecked"] == "could not be checked"
    assert "valid" not in record.waybill


def test_a_schema_that_cannot_be_used_is_refused_with_its_line(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(FIT)
    bad = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "nothing"}}}
    far = {
        "type": "json_schema",
        "json_schema": {"name": "p", "schema": {"$ref": "https://example.com/s.json"}},
    }
    batch_id = harness.submit([ask(), ask(response_format=bad), ask(response_format=far)])
    assert_batch(harness.run(batch_id), succeeded=1, invalid=2, calls=1)
    _, first, second = records(harness, batch_id)
    assert first.error_code == second.error_code == "invalid_schema"
    assert "#/type" in (first.error_message or "")
    assert "nothing is fetched" in (second.error_message or "")
    assert json.loads(json.dumps(openai_line(first)))["error"]["line"] == 2
