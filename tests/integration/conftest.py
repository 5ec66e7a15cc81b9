"""What integration tests share: both transports, models of real providers, and scripted models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tasks.providers.interface import Transport
from tasks.store.engine import Store
from tests.support.dispatch_harness import DispatchHarness
from tests.support.one_model import waybill_of
from tests.support.scripted_server import MakeScripted, ScriptedServer
from waybill import Waybill
from workers.simulator import SimulatorProcess


@pytest.fixture(params=["litellm", "direct"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """Both transports: what providers do must have the same effect over each.

    `auto` is one of the two for each call, as `test_auto_transport.py` and the table of cases test.
    """
    return request.param


@pytest.fixture
def sim(providers: SimulatorProcess) -> SimulatorProcess:
    """The models of real providers, without a past."""
    providers.client.reset()
    return providers


@pytest.fixture
def make_scripted(store: Store, redis_url: str, simulator: SimulatorProcess) -> Iterator[MakeScripted]:
    """Makes a dispatcher whose models give these answers to the prompt `p`, and the server that does."""
    with ExitStack() as servers:

        def make(*replies: Any, **options: Any) -> tuple[DispatchHarness, ScriptedServer]:
            server = servers.enter_context(ScriptedServer({"p": replies}))
            model = {"api_base": server.url, "input_price": 1, "output_price": 2}
            models = dict.fromkeys(("sim-nano", "sim-coder", "sim-large", "sim-writer"), model)
            return DispatchHarness(store, redis_url, simulator, models=models, **options), server

        yield make


@pytest.fixture
def waybill(store_url: str, tmp_path: Path) -> Iterator[Waybill]:
    """The Python API, with one model, on each database."""
    with waybill_of(tmp_path, store_url) as waybill:
        yield waybill
