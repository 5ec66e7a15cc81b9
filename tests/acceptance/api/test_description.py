"""The server keeps to its OpenAPI description: schemathesis makes requests of it, right and wrong ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support.api import ApiServer, await_end, chat_line, create_batch
from tests.support.api_clients import installed
from tests.support.paths import REPOSITORY

_SETTINGS = Path(__file__).with_name("schemathesis.toml")
#: generated requests for each call; `make fuzz` makes many
_EXAMPLES = os.environ.get("API_EXAMPLES", "10")
_TIMEOUT_S = 3_000


@pytest.mark.timeout(_TIMEOUT_S)
def test_requests_generated_from_the_description_are_answered_as_it_says(
    server: ApiServer, new_client: Callable[..., OpenAI], tmp_path: Path
) -> None:
    folder = installed("schemathesis", "schemathesis>=4.32,<5")
    if folder is None:
        pytest.skip("schemathesis cannot be installed here")
    openai = new_client()
    await_end(openai, create_batch(openai, [chat_line(1), chat_line(2, prompt="[[sim:error=400]] no")]).id)
    await_end(openai, create_batch(openai, ["{"]).id)
    command = [str(folder / "bin" / "st"), "--config-file", str(_SETTINGS), "run"]
    command += [str(REPOSITORY / "docs" / "openapi.yaml"), "--url", server.url.removesuffix("/v1")]
    command += ["--header", f"Authorization: Bearer {openai.api_key}", "--max-examples", _EXAMPLES]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=_TIMEOUT_S)
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    assert "Tested: 24" in ran.stdout
