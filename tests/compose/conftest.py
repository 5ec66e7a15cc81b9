"""The images, and stacks of containers that the tests of a module share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.compose_stack import ComposeStack
from tests.compose.engine import Missing
from tests.compose.images import TAG
from tests.compose.leftovers import PREFIX, remove_leftovers
from tests.compose.preparation import Prepared, prepare
from tests.support.paths import REPOSITORY

_LOGS = REPOSITORY / "build" / "compose"


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """The engine with all images, or no test."""
    try:
        everything = prepare()
    except Missing as missing:
        pytest.skip(str(missing))
    remove_leftovers(everything.engine)
    return everything


@contextmanager
def _stack(project: str, folder: Path, prepared: Prepared, tag: str) -> Iterator[ComposeStack]:
    """A project without containers, of which nothing is left afterwards but its logs."""
    folder.chmod(0o755)
    stack = ComposeStack(project, folder, prepared, tag=tag)
    stack.down()
    try:
        yield stack
    finally:
        _LOGS.mkdir(parents=True, exist_ok=True)
        (_LOGS / f"{project}.log").write_text(stack.logs())
        stack.down()


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared: Prepared
) -> Iterator[ComposeStack]:
    """A stack for the module; `IMAGES` of the module names its images."""
    module = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    folder = tmp_path_factory.mktemp(module)
    # pid: two checkouts may be tested at once
    project = f"{PREFIX}-{module}-{os.getpid()}"
    with _stack(project, folder, prepared, getattr(request.module, "IMAGES", TAG)) as stack:
        yield stack
    shutil.rmtree(folder, ignore_errors=True)
