"""The images, and stacks of containers that the tests of a module share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.compose_stack import ComposeStack
from tests.compose.engine import Missing
from tests.compose.images import PREVIOUS_TAG, TAG
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
def _stack(folder: Path, prepared: Prepared, tag: str, *profiles: str) -> Iterator[ComposeStack]:
    """A project without containers, of which nothing is left afterwards but its logs."""
    folder.chmod(0o755)
    # pid: two checkouts may be tested at once
    stack = ComposeStack(f"{PREFIX}-{tag}-{os.getpid()}", folder, prepared, tag=tag, profiles=profiles)
    try:
        yield stack
    finally:
        _LOGS.mkdir(parents=True, exist_ok=True)
        (_LOGS / f"{stack.project}.log").write_text(stack.logs())
        stack.down()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, prepared: Prepared) -> Iterator[ComposeStack]:
    """The stack whose life the tests follow; the first one that needs it brings it up."""
    with _stack(tmp_path_factory.mktemp("stack"), prepared, TAG, "simulate", "monitoring") as stack:
        yield stack


@pytest.fixture
def previous_stack(tmp_path: Path, prepared: Prepared) -> Iterator[ComposeStack]:
    """A stack of the version before."""
    with _stack(tmp_path, prepared, PREVIOUS_TAG, "simulate") as stack:
        yield stack
