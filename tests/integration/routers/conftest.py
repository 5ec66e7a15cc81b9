"""What tests of routers share: one trained router for the session, settings, and a SQLite store."""

import random
from pathlib import Path

import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.router import Router
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tests.support import learning, routers
from workers.routers.training import train_on


@pytest.fixture(scope="session")
def coder_and_writer(tmp_path_factory: pytest.TempPathFactory) -> Router:
    """A router that has learnt that the coder is good at code and the writer at poems."""
    settings = learning.settings(tmp_path_factory.mktemp("training"), *routers.MODELS)
    rows = []
    for turn, n in enumerate(random.Random(0).sample(range(10_000), 100)):
        scores = {"coder": float(turn % 2 == 0), "writer": float(turn % 2)}
        text = (routers.CODE, routers.POEM)[turn % 2].format(n=n)
        rows.append(LabelledPrompt(f"p{n}", text, None, None, scores))
    return train_on(settings, rows, notify=lambda _: None)


@pytest.fixture(scope="session")
def four_kinds(tmp_path_factory: pytest.TempPathFactory) -> Router:
    """A router that measures novelty, because its labels are of four named kinds."""
    settings = learning.settings(tmp_path_factory.mktemp("training"), *routers.MODELS)
    rows = []
    for turn, n in enumerate(random.Random(0).sample(range(10_000), 200)):
        kind = list(routers.KINDS)[turn % 4]
        scores = {"coder": float(kind != "poem"), "writer": float(kind == "poem")}
        rows.append(LabelledPrompt(f"p{n}", routers.KINDS[kind].format(n=n), kind, kind, scores))
    return train_on(settings, rows, notify=lambda _: None)


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    """Settings of the coder and the writer."""
    return routers.settings_of(tmp_path, redis_url, *routers.MODELS)


@pytest.fixture
def sqlite(settings: Settings) -> Store:
    """An empty store, for tests of what does not depend on the database."""
    store = Store(settings.store_url)
    ensure_schema(store)
    return store
