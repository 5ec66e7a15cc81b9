"""The official clients, each in its own environment, drive the server unchanged."""

from __future__ import annotations

import pytest

from tests.support import api
from tests.support.api import ApiServer
from tests.support.api_clients import CLIENTS, ApiClient
from tests.support.paths import REPOSITORY
from tests.support.stack import Stack


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_call_of_a_client_succeeds(client: ApiClient, server: ApiServer, stack: Stack) -> None:
    results = client.run(server.url, api.new_key(stack, client.name))
    if results is None:
        pytest.skip(f"{client.name} cannot be installed here")
    assert {call: result for call, result in results.calls.items() if result != "ok"} == {}
    page = (REPOSITORY / "docs" / "conformance.md").read_text()
    assert [call for call in results.calls if call not in page] == [], "run docs/generate_conformance.py"
