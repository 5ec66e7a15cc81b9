"""A package's `__init__` holds a docstring only, so that importing one module loads no other."""

import ast

from tests.support.paths import REPOSITORY

WORKERS = REPOSITORY / "workers"
#: the lazy Python API, the command's `main`, and the simulator's public names
WITH_CODE = {".", "cli", "simulator"}


def test_packages_hold_a_docstring_and_three_of_them_more() -> None:
    found = {file.parent: ast.parse(file.read_text()) for file in WORKERS.rglob("__init__.py")}
    assert [package for package, tree in found.items() if not ast.get_docstring(tree)] == []
    with_code = {str(package.relative_to(WORKERS)) for package, tree in found.items() if len(tree.body) > 1}
    assert with_code == WITH_CODE


def test_few_modules_lie_outside_of_every_package() -> None:
    assert len(list(WORKERS.glob("*.py"))) <= 12
