"""One trained router for all tests of a session: the coder is good at code, the writer at poems."""

import random

import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.router import Router
from tests.support import learning
from workers.routers.training import train_on

CODE = "Write a Python function that sorts list number {n} and explain its complexity."
POEM = "Write a short melancholy poem about the moon over harbour {n}."


@pytest.fixture(scope="session")
def coder_and_writer(tmp_path_factory: pytest.TempPathFactory) -> Router:
    settings = learning.settings(tmp_path_factory.mktemp("training"), "coder", "writer")
    rows = []
    for turn, n in enumerate(random.Random(0).sample(range(10_000), 100)):
        scores = {"coder": float(turn % 2 == 0), "writer": float(turn % 2)}
        rows.append(LabelledPrompt(f"p{n}", (CODE, POEM)[turn % 2].format(n=n), None, None, scores))
    return train_on(settings, rows, notify=lambda _: None)
