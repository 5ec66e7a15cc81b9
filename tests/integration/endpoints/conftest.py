"""What the tests of endpoints share: a dispatcher over each transport and store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tasks.providers.interface import Transport
from tasks.store.engine import Store
from tests.support.dispatch_harness import DispatchHarness
from workers.simulator import SimulatorProcess

MakeHarness = Callable[..., DispatchHarness]


@pytest.fixture
def make_harness(
    store: Store, redis_url: str, simulator: SimulatorProcess, transport: Transport
) -> Iterator[MakeHarness]:
    simulator.client.reset()
    yield lambda **options: DispatchHarness(store, redis_url, simulator, transport=transport, **options)
    simulator.client.reset()
