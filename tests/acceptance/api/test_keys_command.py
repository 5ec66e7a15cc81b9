"""`waybill keys`, as an operator types it, beside a server."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from openai import AuthenticationError

from tests.support import api
from tests.support.api import ApiServer, chat_line, create_batch
from tests.support.stack import Stack


def _keys(stack: Stack, *arguments: str) -> Any:
    command = [sys.executable, "-m", "workers.cli", "keys", *arguments, "--json"]
    ran = subprocess.run(command, env=stack.environment, capture_output=True, check=True, text=True)
    return json.loads(ran.stdout)


def test_a_key_is_made_used_rotated_and_its_acts_are_shown(stack: Stack, server: ApiServer) -> None:
    made = _keys(stack, "create", "typed", "--budget-day", "2", "--rpm", "100")
    client = api.client(server, made["key"])
    batch = create_batch(client, [chat_line(1)], metadata={"waybill_budget_usd": "0.5"})
    rotated = _keys(stack, "rotate", "typed")
    with pytest.raises(AuthenticationError):
        client.models.list()
    assert api.client(server, rotated["key"]).batches.retrieve(batch.id).id == batch.id
    [listed] = [key for key in _keys(stack, "list") if key["name"] == "typed"]
    assert (listed["budget_day"], listed["rpm"]) == (2_000_000, 100)
    acts = [(entry["action"], entry["subject"]) for entry in reversed(_keys(stack, "audit", "typed"))]
    assert acts == [
        ("key.create", made["id"]),
        ("file.create", batch.input_file_id),
        ("batch.create", batch.id),
        ("key.rotate", made["id"]),
    ]
    command = [sys.executable, "-m", "workers.cli", "keys", "audit", "typed"]
    shown = subprocess.run(command, env=stack.environment, capture_output=True, check=True, text=True).stdout
    assert batch.id in shown
    assert "budget=$0.500000" in shown
