"""The official clients, each in its own environment, drive the server unchanged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support import api
from tests.support.api import ApiServer
from tests.support.api_clients import CLIENTS, ApiClient
from tests.support.paths import REPOSITORY
from tests.support.stack import Stack


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_call_of_a_client_succeeds(client: ApiClient, server: ApiServer, stack: Stack) -> None:
    results = client.run(stack, server)
    if results is None:
        pytest.skip(f"{client.name} cannot be installed here")
    assert {call: result for call, result in results.calls.items() if result != "ok"} == {}
    page = (REPOSITORY / "docs" / "conformance.md").read_text()
    assert [call for call in results.calls if call not in page] == [], "run docs/generate_conformance.py"


@pytest.mark.parametrize("page", ["docs/api.md"])
def test_the_lines_that_the_documents_show_work_as_written(
    page: str, server: ApiServer, openai: OpenAI, tmp_path: Path
) -> None:
    text = (REPOSITORY / page).read_text()
    [lines] = re.findall(r"```python\n(import time\n\nfrom openai .*?)```", text, re.DOTALL)
    shown = ('base_url="http://127.0.0.1:8080/v1"', 'api_key="sk-wb-\u2026"')
    mine = (f'base_url="{server.url}"', f'api_key="{openai.api_key}"')
    for written, own in zip(shown, mine, strict=True):
        assert written in lines
        lines = lines.replace(written, own)
    api.batch_file(tmp_path, [api.chat_line(number, model=None) for number in range(5)])
    command = [sys.executable, "-c", lines]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=240)
    answered = {json.loads(line)["custom_id"] for line in printed.stdout.splitlines() if line}
    assert answered == {f"line-{number}" for number in range(5)}
