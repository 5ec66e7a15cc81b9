"""JSON logs: names of events, fields, and nothing that text logs do not have."""

from __future__ import annotations

import ast
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from celery.app import trace

from tasks.log_context import about
from tests.support.paths import REPOSITORY
from workers.logs.events import EVENTS, INTERNAL_ERROR, OTHER, TASK_EVENTS
from workers.logs.json_format import JsonFormatter


def _line(name: str, text: str, *args: object, **options: Any) -> dict[str, Any]:
    record = logging.LogRecord(name, logging.WARNING, "file", 1, text, args, options.get("exc_info"))
    line: dict[str, Any] = json.loads(JsonFormatter("dispatch@host-1").format(record))
    return line


def _texts() -> Iterator[tuple[str, str]]:
    """Yield the file and the text of each call of a logger."""
    for file in [*REPOSITORY.glob("tasks/**/*.py"), *REPOSITORY.glob("workers/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "logger"
                and node.args
            ):
                text = node.args[0]
                yield str(file), text.value if isinstance(text, ast.Constant) else ast.unparse(text)


def test_every_message_of_a_logger_has_an_event_and_its_arguments_have_names() -> None:
    texts = list(_texts())
    assert len(texts) > 40
    assert [(file, text) for file, text in texts if text not in EVENTS] == []
    for text, (_event, *fields) in EVENTS.items():
        assert len(re.findall(r"%[.\d]*[a-z]", text)) == len(fields), text


def test_every_event_is_documented() -> None:
    page = (REPOSITORY / "docs" / "monitoring.md").read_text()
    events = {event for event, *_ in EVENTS.values()} | set(TASK_EVENTS.values())
    assert [event for event in sorted(events) if f"`{event}`" not in page] == []


def test_every_event_is_explained_with_what_to_do() -> None:
    rows = re.findall(
        r"^\| (`.*?`) \| (.+) \| (.+) \|$", (REPOSITORY / "docs" / "logs.md").read_text(), re.MULTILINE
    )
    explained = [name for names, _meaning, _advice in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(explained) == sorted(
        {event for event, *_ in EVENTS.values()} | set(TASK_EVENTS.values()) | {INTERNAL_ERROR}
    )


def test_a_message_becomes_an_event_with_fields() -> None:
    line = _line(
        "tasks.stages.dispatch.model_queue", "%s waits for %s: %s", "small", "the store", "OperationalError"
    )
    assert line["event"] == "model_waits"
    assert (line["model"], line["error"]) == ("small", "OperationalError")
    assert (line["level"], line["worker"]) == ("warning", "dispatch@host-1")
    assert line["message"] == "small waits for the store: OperationalError"


def test_a_line_says_which_batch_and_chunk_it_is_about() -> None:
    with about(batch=3, chunk=7), about(stage="embed"):
        line = _line("tasks.x", "settlements wait: %s", "OperationalError")
    assert (line["batch"], line["chunk"], line["stage"]) == (3, 7, "embed")
    assert "batch" not in _line("tasks.x", "settlements wait: %s", "OperationalError")


def test_tasks_of_celery_are_events_with_their_ids() -> None:
    context = {"name": "waybill.embed", "id": "12", "runtime": 0.5, "return_value": "None"}
    line = _line("celery.app.trace", trace.LOG_SUCCESS, context)
    assert (line["event"], line["task"], line["task_id"]) == ("task_succeeded", "waybill.embed", "12")


@pytest.mark.parametrize(
    ("policy", "event"),
    [
        (trace.log_policy_unexpected, "task_failed"),
        (trace.log_policy_expected, "task_failed"),
        (trace.log_policy_internal, "task_internal_error"),
    ],
)
def test_a_failed_task_is_told_from_an_error_of_celery(policy: Any, event: str) -> None:
    context = {"name": "waybill.embed", "id": "12", "exc": "x", "description": policy.description}
    assert _line("celery.app.trace", policy.format, context)["event"] == event


def test_messages_of_libraries_are_of_no_event_of_ours() -> None:
    assert _line("kombu.connection", "%s", "anything")["event"] == OTHER


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ValueError("x")
    except ValueError:
        line = _line("celery.app.trace", "failed", exc_info=sys.exc_info())
    assert "ValueError" in line["traceback"]


@pytest.mark.parametrize("text", ["a\nb", '"', "\x00", "\ud800"])
def test_any_argument_stays_one_line_of_json(text: str) -> None:
    record = logging.LogRecord("tasks.x", logging.INFO, "f", 1, "%s", (text,), None)
    formatted = JsonFormatter("w").format(record)
    assert "\n" not in formatted
    assert json.loads(formatted)["message"] == text
