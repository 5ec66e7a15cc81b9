"""A stack with an API server, which the tests of this folder share; each has keys of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.support import api
from tests.support.api import ApiServer
from tests.support.stack import Stack
from workers.simulator import SimulatorProcess

_NAMES = itertools.count()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorProcess) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("api"), simulator=simulator) as stack:
        stack.start("upkeep")
        stack.await_ready(stack.start("route"), stack.start("dispatch"))
        yield stack


@pytest.fixture(scope="package")
def server(stack: Stack) -> ApiServer:
    return api.start_api(stack)


@pytest.fixture
def new_client(stack: Stack, server: ApiServer) -> Callable[..., OpenAI]:
    """Makes official clients, each with a key of its own."""

    def make(**limits: Any) -> OpenAI:
        return api.client(server, api.new_key(stack, f"test-{next(_NAMES)}", **limits))

    return make


@pytest.fixture
def openai(new_client: Callable[..., OpenAI]) -> OpenAI:
    """The official client with a key without limits."""
    return new_client()
