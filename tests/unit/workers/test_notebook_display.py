"""Progress in a notebook: a bar, or lines where ipywidgets is not installed."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import ipywidgets
import pytest
import rich.console

from tasks.store.batch_progress import PausedModel, Rate
from tests.support.progress import DONE
from workers.waiting import notebook
from workers.waiting.display import progress_display
from workers.waiting.notebook import lines, notebook_display

HALF = replace(DONE, status="in_progress", succeeded=5, missing_roles=("route",))
RATE = Rate(2.0, 2.5)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a notebook was told to display."""
    found: list[Any] = []
    monkeypatch.setattr("IPython.display.display", found.append)
    return found


def test_a_bar_follows_the_batch_and_says_what_holds_it_up(shown: list[Any]) -> None:
    with notebook_display() as show:
        show(HALF, RATE)
        (box,) = shown
        bar, text = box.children
        assert isinstance(bar, ipywidgets.IntProgress)
        assert (bar.value, bar.max, bar.bar_style) == (5, 10, "")
        assert "5 of 10 done" in text.value
        assert "no route worker ran" in text.value
        show(DONE, RATE)
    assert (bar.value, bar.max, bar.bar_style) == (10, 10, "success")
    assert len(shown) == 1


def test_texts_of_a_batch_are_no_html(shown: list[Any]) -> None:
    with notebook_display() as show:
        show(replace(DONE, batch_id="<b>"), RATE)
    assert "<b>" not in shown[0].children[1].value


def test_without_ipywidgets_there_are_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr(notebook, "LINE_INTERVAL_S", 3_600.0)
    with notebook_display() as show:
        for _ in range(3):
            show(HALF, RATE)
        show(DONE, RATE)
    first, held_up, last = capsys.readouterr().out.splitlines()
    assert "5 of 10 done" in first
    assert "no route worker ran" in held_up
    assert "10 of 10 done" in last


def test_a_line_comes_again_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "LINE_INTERVAL_S", 0.0)
    written: list[str] = []
    show = lines(written.append)
    show(HALF, RATE)
    show(HALF, RATE)
    assert len(written) == 2


def test_a_notebook_is_known_and_may_be_told_to_show_nothing(
    monkeypatch: pytest.MonkeyPatch, shown: list[Any]
) -> None:
    monkeypatch.setattr(rich.console.Console, "is_jupyter", True, raising=False)
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    with progress_display(True) as show:
        show(DONE, RATE)
    assert len(shown) == 1
    with progress_display(False) as show:
        show(DONE, RATE)
    assert len(shown) == 1


def test_a_terminal_of_python_is_told_methods_and_no_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(rich.console.Console, "is_terminal", True)
    paused = tuple(PausedModel(name, "invalid key", 3.0) for name in "abcdef")
    with progress_display(True) as show:
        show(replace(HALF, sending=False, paused=paused), RATE)
    shown = capsys.readouterr().err
    assert "`batch.resume()` goes on with these lines, `batch.cancel()` ends it" in shown
    assert "and 3 more: `batch.status()`" in shown
    assert "waybill" not in shown.replace("`waybill worker", "")
