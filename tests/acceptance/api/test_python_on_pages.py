"""The Python of the documentation runs as it stands, at a real stack and a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support.api import ApiServer
from tests.support.paths import REPOSITORY
from tests.support.stack import Stack

_TIMEOUT_S = 900
#: what a reader puts in: the address of the server, with and without `/v1`, and a key
_ADDRESSES = ("http://127.0.0.1:8080/v1", "https://waybill.example.com")
_KEY = "sk-wb-…"


def blocks_of(page: str) -> list[str]:
    """The blocks of Python on a page that use a stack or a server."""
    found = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text("utf-8"), re.DOTALL)
    return [block for block in found if "Waybill(" in block]


@pytest.mark.parametrize(
    ("page", "blocks"),
    [("README.md", 1), ("docs/python.md", 3), ("docs/howto/from-litellm.md", 2)],
)
def test_the_python_of_a_page_runs_as_it_stands(
    page: str, blocks: int, stack: Stack, server: ApiServer, new_client: Callable[..., OpenAI], tmp_path: Path
) -> None:
    found = blocks_of(page)
    assert len(found) >= blocks
    for block in found:
        code = block.replace(_KEY, new_client().api_key)
        for address in _ADDRESSES:
            code = code.replace(address, server.url)
        if "from waybill" not in code:
            code = f"from waybill import Waybill\n{code}"
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**stack.environment, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        assert ran.returncode == 0, block + ran.stderr[-4000:]
