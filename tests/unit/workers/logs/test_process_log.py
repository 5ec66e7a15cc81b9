"""The log of a process that sets it up by itself: text with time and subject, or JSON to the last line."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator

import pytest

from tasks.log_context import about
from workers.logs.choice import VARIABLE
from workers.logs.process_log import log_to_stderr, notices
from workers.metrics.server import _Server

NAME = "upkeep@host-1"


@pytest.fixture(params=["text", "json"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The form of the log, which is set up; the test runner's handlers and hooks come back afterwards."""
    monkeypatch.setenv(VARIABLE, request.param)
    for place in (sys, threading):
        monkeypatch.setattr(place, "excepthook", place.excepthook)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    levels = {name: logging.getLogger(name).level for name in (None, "tasks", "workers")}
    log_to_stderr(NAME)
    yield request.param
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_has_its_time_its_level_and_what_it_is_about(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr(NAME)
    with about(batch=3, stage="embed"):
        logging.getLogger("tasks.x").info("hello")
    written = capfd.readouterr().err
    if form == "text":
        assert re.fullmatch(r"\d{4}-\S+ \S+ INFO tasks\.x hello \[batch 3, stage embed\]\n", written)
    else:
        line = json.loads(written)
        assert (line["worker"], line["batch"], line["message"]) == (NAME, 3, "hello")


def test_what_a_process_says_of_itself_has_the_chosen_form(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    notices(NAME, said.append, level=logging.ERROR)("100 % of it is\nrefused")
    written = capfd.readouterr().err
    if form == "text":
        assert (said, written) == (["100 % of it is\nrefused"], "")
    else:
        line = json.loads(written)
        assert (line["level"], line["event"], line["message"]) == ("error", "log", "100 % of it is\nrefused")


def test_a_client_that_goes_away_in_a_scrape_is_one_line(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr(NAME)
    try:
        raise BrokenPipeError
    except BrokenPipeError:
        _Server.handle_error(object.__new__(_Server), None, None)
    [line] = capfd.readouterr().err.splitlines()
    assert "a scrape broke off: BrokenPipeError" in line
    assert line.startswith("{") == (form == "json")


def test_an_error_that_ends_a_thread_is_a_line_of_json(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    if form == "text":
        pytest.skip("Python writes it")
    log_to_stderr(NAME)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    line = json.loads(capfd.readouterr().err)
    assert (line["event"], line["error"]) == ("process_failed", "ZeroDivisionError")
    assert line["traceback"].endswith("ZeroDivisionError: division by zero")


def test_a_thread_that_exits_is_no_failure(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    if form == "text":
        pytest.skip("Python passes over it")
    log_to_stderr(NAME)
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert capfd.readouterr().err == ""


def test_who_interrupts_a_process_has_not_made_it_fail(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(NAME)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "process_failed" not in capfd.readouterr().err


def test_a_defect_in_a_scrape_is_logged_with_its_place(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(NAME)
    try:
        {}["x"]
    except KeyError:
        _Server.handle_error(object.__new__(_Server), None, None)
    assert "test_process_log.py" in capfd.readouterr().err
