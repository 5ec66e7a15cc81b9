"""Text logs: each line says which batch and chunk it is about, as JSON logs do."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from tasks.log_context import about
from workers.logs.choice import VARIABLE
from workers.logs.json_format import JsonFormatter, use_chosen
from workers.logs.text_format import TextFormatter


def _record(text: str = "%s waits", **options: object) -> logging.LogRecord:
    return logging.LogRecord("tasks.x", logging.WARNING, "f", 1, text, ("small",), options.get("exc_info"))  # type: ignore[arg-type]


FORMATTER = TextFormatter(logging.Formatter("%(levelname)s: %(message)s"))


def test_a_line_ends_with_what_it_is_about() -> None:
    assert FORMATTER.format(_record()) == "WARNING: small waits"
    with about(batch=3, chunk=7, stage="embed"):
        assert FORMATTER.format(_record()) == "WARNING: small waits [batch 3, chunk 7, stage embed]"


def test_a_traceback_follows_the_line() -> None:
    try:
        raise ValueError
    except ValueError:
        with about(batch=3):
            lines = FORMATTER.format(_record(exc_info=sys.exc_info())).splitlines()
    assert lines[0] == "WARNING: small waits [batch 3]"
    assert lines[1].startswith("Traceback")
    assert lines[-1] == "ValueError"


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Handler]:
    """A handler of Celery's tasks, as a worker sets it up; the test runner's handlers are left alone."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger("celery.task").addHandler(handler)
    yield handler
    logging.getLogger("celery.task").removeHandler(handler)


def test_the_chosen_form_is_used_once_however_often_it_is_set(
    handler: logging.Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    use_chosen("w")
    first = handler.formatter
    use_chosen("w")
    assert handler.formatter is first
    with about(batch=3):
        assert handler.format(_record()) == "small waits [batch 3]"
    monkeypatch.setenv(VARIABLE, "json")
    use_chosen("w")
    assert isinstance(handler.formatter, JsonFormatter)
