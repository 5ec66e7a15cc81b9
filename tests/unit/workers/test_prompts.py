"""What is taken for prompts in Python, and what is refused before anything is read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from tasks.formats.errors import OptionsError
from tasks.formats.inputs.frames import is_table
from tasks.formats.inputs.options import InputOptions
from tasks.submission.source import Accepted
from workers.prompts import Prompts, lines_of


def _lines(prompts: Prompts) -> list[Any]:
    lines, _ = lines_of(prompts, Accepted(("small",), frozenset()), InputOptions())
    return list(lines)


def test_names_of_files_are_no_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("q.csv", "more.csv"):
        Path(name).write_text("prompt\nWhat is 2 + 2?\n")
    named: list[Prompts] = [["q.csv"], ["q.csv", str(tmp_path / "more.csv")]]
    for names in named:
        with pytest.raises(TypeError, match=r"names files, such as 'q.csv': give pathlib.Path\('q.csv'\)"):
            _lines(names)
    assert [line.prompt for line in _lines([Path("q.csv")])] == ["What is 2 + 2?"]


def test_a_prompt_that_is_the_name_of_a_file_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("README").write_text("")
    assert [line.prompt for line in _lines(["README", "What is 2 + 2?"])] == ["README", "What is 2 + 2?"]
    assert [line.prompt for line in _lines([{"prompt": "README"}])] == ["README"]
    assert [line.prompt for line in _lines(["x" * 100_000])] == ["x" * 100_000]


class LazyFrame:
    """A frame as Polars makes one: its columns are worked out, with a warning, when they are asked for."""

    collect = lazy = None

    @property
    def columns(self) -> list[str]:
        warnings.warn("determining the column names of a LazyFrame is expensive", stacklevel=2)
        return ["prompt"]

    @property
    def schema(self) -> object:
        raise AssertionError("its schema is not asked for either")


@pytest.mark.filterwarnings("error")
def test_a_lazy_frame_is_refused_without_its_columns_being_worked_out() -> None:
    frame: Any = LazyFrame()
    assert is_table(frame)
    with pytest.raises(OptionsError, match=r"give its \.collect\(\)"):
        _lines(frame)
    with pytest.raises(OptionsError, match="give one of them: train"):
        _lines({"train": frame})
