"""What a provider objects to: its type, code and parameter reach the results, and none of its words do."""

from __future__ import annotations

from tasks.formats.outputs.json_lines import openai_line
from tasks.providers.interface import Transport
from tasks.store import results
from tasks.store.health import model_errors
from tasks.store.page import request_facts
from tests.support.scripted_server import MakeScripted, RawReply
from workers.views.health import error_text

QUOTED = "Unsupported value: 'CANARY-7f3a' of sk-canary is not allowed"
OBJECTION = {"type": "invalid_request_error", "code": "unsupported_value", "param": "messages[0].content"}
TEXT = "bad_request (400, unsupported_value, param messages[0].content)"


def test_a_refusal_says_what_the_provider_objects_to(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    body = {"error": {"message": QUOTED, **OBJECTION}}
    harness, _ = make_scripted(RawReply(400, body), transport=transport)
    batch_id = harness.submit([{"id": "a", "prompt": "p"}, {"id": "same", "prompt": "p"}])
    row = harness.run(batch_id)
    found = list(results.iter_results(harness.store, batch_id))
    assert [one.provider_error for one in found] == [OBJECTION] * 2
    with harness.store.read() as connection:
        [counted] = model_errors.of_batch(connection, row["no"])
        pages = [request_facts.find(connection, row["no"], name) for name in ("a", "same")]
    assert TEXT in error_text(counted)
    assert [page.objection for page in pages if page] == [OBJECTION] * 2
    line = openai_line(found[0])["response"]
    assert line["body"]["error"] == {
        "code": "bad_request",
        "message": TEXT,
        "type": "invalid_request_error",
        "param": "messages[0].content",
    }
    assert "CANARY" not in repr((found, counted, pages, line))
