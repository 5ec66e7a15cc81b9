"""Small labelled data in which the right model depends on the kind of prompt."""

from __future__ import annotations

import numpy as np
import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.training.train import train

KINDS = ("coding", "mathematics")
MODELS = ("coder", "counter", "generalist")
COSTS = {"coder": 0.002, "counter": 0.001, "generalist": 0.003}


def _make_rows(n, *, seed=0, learnable=True):
    """Return n rows and vectors; the coder is good at coding, the counter at mathematics."""
    random = np.random.default_rng(seed)
    rows, vectors = [], []
    for index in range(n):
        kind = int(random.integers(2))
        chances = [0.9 - 0.7 * kind, 0.2 + 0.7 * kind, 0.6] if learnable else [0.5, 0.5, 0.6]
        scores = {model: float(random.random() < p) for model, p in zip(MODELS, chances, strict=True)}
        # The seed in the text: prompts of two seeds are never the same.
        text = f"{KINDS[kind]} prompt {seed}.{index}"
        rows.append(LabelledPrompt(f"p{index}", text, KINDS[kind], None, scores, COSTS))
        vector = random.normal(size=8) * 0.3
        vector[0] += 2 * kind - 1
        vectors.append(vector / np.linalg.norm(vector))
    return rows, np.array(vectors, dtype=np.float32)


def _fit(rows, vectors, **options):
    return train(rows, vectors, embedder_id="test", embedder_fingerprint="f" * 8, **options)


@pytest.fixture(scope="session")
def make_rows():
    return _make_rows


@pytest.fixture(scope="session")
def fit():
    return _fit


@pytest.fixture(scope="session")
def labelled():
    return _make_rows(400)


@pytest.fixture(scope="session")
def router(labelled):
    return _fit(*labelled)


@pytest.fixture(scope="session")
def unseen():
    return _make_rows(300, seed=1)
