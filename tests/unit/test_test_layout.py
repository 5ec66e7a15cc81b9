"""Test modules import nothing from each other: what they share is in tests/support or a conftest.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.paths import REPOSITORY

TESTS = REPOSITORY / "tests"


def imported_test_modules(source: str, path: str) -> list[str]:
    """Return "path:line: module" for each import of a test module, or of something in one."""
    imports = (node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return [
        f"{path}:{node.lineno}: {name}"
        for node in imports
        for name in _imported_names(node)
        if any(part.startswith("test_") for part in name.split("."))
    ]


def _imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
    yield from (f"{prefix}{alias.name}" for alias in node.names)


def test_no_test_module_is_imported() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 100
    found = [
        line
        for file in files
        for line in imported_test_modules(file.read_text(), str(file.relative_to(REPOSITORY)))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import tests.unit.test_one", "tests.unit.test_one"),
        ("import tests.unit.test_one as one", "tests.unit.test_one"),
        ("from tests.unit.test_one import shared", "tests.unit.test_one.shared"),
        ("from tests.unit import helpers, test_one", "tests.unit.test_one"),
        ("from . import test_one", "test_one"),
        ("from .test_one import shared", "test_one.shared"),
        ("def later():\n    from tests.unit.test_one import shared", "tests.unit.test_one.shared"),
    ],
)
def test_an_import_of_a_test_module_is_named_with_its_file_and_line(statement: str, module: str) -> None:
    line = 2 + statement.count("\n")
    found = imported_test_modules(f"import os\n{statement}\n", "tests/unit/test_two.py")
    assert found == [f"tests/unit/test_two.py:{line}: {module}"]


def test_imports_of_helpers_are_allowed() -> None:
    source = (
        "from tests.support import learning\nfrom tests.support.stores import PostgresServer\nimport pytest"
    )
    assert imported_test_modules(source, "tests/unit/test_two.py") == []


def test_a_benchmark_that_uses_helpers_of_the_tests_finds_them_when_run_by_its_path() -> None:
    # `tests` is not installed: only the repository's root on the path makes it importable.
    sources = {file.name: file.read_text() for file in (TESTS / "benchmarks").glob("bench_*.py")}
    users = {name for name, source in sources.items() if "\nfrom tests." in source}
    assert users, "no benchmark uses helpers"
    assert [name for name in sorted(users) if "sys.path.insert(0, str(ROOT))" not in sources[name]] == []
