"""What documents, docstrings and comments refer to exists: files, modules and names of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.references import PACKAGES, Repository

ROOT = Path(__file__).parents[2]


def is_checked(file: str) -> bool:
    """Documents and Python files; the changelog speaks of earlier versions."""
    if file.endswith(".py"):
        return file.startswith(tuple(f"{package}/" for package in PACKAGES))
    return file in ("README.md", "CONTRIBUTING.md") or (file.startswith("docs/") and file.endswith(".md"))


def test_every_file_and_name_that_is_referred_to_exists() -> None:
    repository = Repository(ROOT)
    checked = sorted(filter(is_checked, repository.files))
    dangling = [str(reference) for path in checked for reference in repository.dangling(path)]
    assert len(checked) > 300
    assert not dangling, "\n".join(["These references name nothing:", *dangling])


MODULE = '''"""Shapes; `Circle.area` is one of `shapes.Circle`, documented in docs/shapes.md."""

import math

UNIT = 1.0


class Shape:
    sides: int


class Circle(Shape):
    def __init__(self, radius: float) -> None:
        self.radius = radius

    def area(self) -> float:
        return math.pi * self.radius**2
'''


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "tasks/drawing").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "tasks/drawing/shapes.py").write_text(MODULE)
    (tmp_path / "tasks/errors.py").write_text("class Refused(ValueError): ...\n")
    (tmp_path / "docs/shapes.md").write_text("Shapes.\n")
    return Repository(tmp_path)


def dangling(repository: Repository, text: str, name: str = "docs/made_up.md") -> list[str]:
    (repository.root / name).write_text(text)
    return [f"{reference.line}: {reference.text}" for reference in repository.dangling(name)]


@pytest.mark.parametrize(
    "text",
    [
        "`tasks/drawing/shapes.py`, `tasks/drawing/`, drawing/shapes.py, shapes.py, `tasks/*/shapes.py`",
        "[shapes](shapes.md#circles), [errors](../tasks/errors.py), docs/shapes.md.",
        "tasks.drawing.shapes, tasks.drawing.shapes.Circle.radius, `tasks.drawing.shapes.Circle.sides`",
        "`shapes.UNIT`, `shapes.Circle.area()`, `Circle.area`, `drawing.shapes`, `shapes.math.pi`",
        "`errors.Refused.with_traceback`: a base from elsewhere may have any attribute",
        "https://example.org/docs/none.md, .waybill/report.md, `numpy.ndarray`, `waybill.toml`, tasks/…",
        "written by commands: report.md, `shapes.npz`; shapes.none without backticks",
    ],
)
def test_what_exists_or_is_not_of_here_is_passed_over(repository: Repository, text: str) -> None:
    assert dangling(repository, text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see `tasks/drawing/squares.py`", "tasks/drawing/squares.py"),
        ("see DESIGN.md section 3", "DESIGN.md"),
        ("`drawing/limits.lua` and `tasks/drawing/*.lua` (twice)", "drawing/limits.lua tasks/drawing/*.lua"),
        ("see [the page](squares.md)", "squares.md"),
        ("tests/…, tests/support/none.py", "tests/support/none.py"),
        ("tasks.drawing.squares", "tasks.drawing.squares"),
        ("tasks.drawing.shapes.Square", "tasks.drawing.shapes.Square"),
        ("tasks.drawing.shapes.Circle.width", "tasks.drawing.shapes.Circle.width"),
        ("`shapes.Square` and `shapes.squares()`", "shapes.Square shapes.squares"),
        ("`shapes.Circle.width`, `Circle.width`", "shapes.Circle.width Circle.width"),
        ("`waybill.Waybill`", "waybill.Waybill"),
        ("`squares.Square` and `Square.width`, of no module or class", "squares.Square Square.width"),
    ],
)
def test_what_names_nothing_is_found_with_its_line(repository: Repository, text: str, found: str) -> None:
    assert dangling(repository, f"A title\n\n{text}\n") == [f"3: {name}" for name in found.split()]


def test_of_python_files_docstrings_and_comments_are_read_and_no_code(repository: Repository) -> None:
    source = '''"""See docs/none.md."""

PATH = "docs/neither.md"  # as in docs/nor.md


def area() -> None:
    """Return.

    As `shapes.area` does.
    """
'''
    found = dangling(repository, source, "tasks/made_up.py")
    assert sorted(found) == ["1: docs/none.md", "3: docs/nor.md", "9: shapes.area"]
    assert dangling(repository, MODULE, "tasks/drawing/shapes.py") == []
