"""`evaluate` refuses what it cannot use before it spends minutes on embeddings."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.errors import LabelsError
from router_core.evaluation.evaluated_policies import PolicyNumbers
from router_core.router import Router
from tests.support import learning
from workers.routers import embedders
from workers.routers.training import evaluate_router


def test_rows_that_no_evaluation_can_use_are_refused_before_they_are_embedded(
    coder_and_writer: Router, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedders, "router_embedder", lambda *_: pytest.fail("the embedder was loaded"))
    with pytest.raises(LabelsError, match="no row has a score of a model of the router"):
        evaluate_router(
            learning.settings(tmp_path, "coder", "writer"),
            [LabelledPrompt("a", "Name a prime.", None, None, {"stranger": 1.0})],
            coder_and_writer,
            numbers=PolicyNumbers(),
            include_training=False,
            notify=lambda _: None,
        )
