"""A judge worker over answered prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.stages.context import WorkerContext
from tasks.store.engine import Store
from tests.support import learning
from tests.support.judging import ANSWERS, QUALITY, TEXTS


@pytest.fixture
def context(store: Store, tmp_path: Path) -> WorkerContext:
    """A judge worker over three answered prompts; two judges."""
    settings = learning.settings(tmp_path, *QUALITY, "judge-1", "judge-2")
    models = [m.model_copy(update={"routed": m.name in QUALITY}) for m in settings.models]
    judge = settings.judge.model_copy(update={"models": ("judge-1", "judge-2")})
    settings = settings.model_copy(update={"models": tuple(models), "judge": judge})
    learning.answer_all(store, learning.collect(store, settings, TEXTS), texts=ANSWERS)
    made = WorkerContext(settings)
    made.__dict__["store"] = store
    return made
