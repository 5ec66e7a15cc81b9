"""What the tests of providers share: a call to a server of its own over each transport."""

from __future__ import annotations

from functools import partial

import pytest

from tasks.providers.interface import Transport
from tests.support.provider_server import Call, serve


@pytest.fixture
def call(transport: Transport) -> Call:
    """`serve` by each transport."""
    return partial(serve, transport=transport)
