"""The Python of the documentation runs as it stands, at a real stack and a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI

from tests.support.api import ApiServer, chat_line
from tests.support.paths import REPOSITORY
from tests.support.stack import Stack

PAGES = {
    "README.md": 2,
    "docs/python.md": 3,
    "docs/howto/from-litellm.md": 2,
    "docs/structured-outputs.md": 1,
}
_TIMEOUT_S = 900


def blocks_of(page: str) -> list[str]:
    """The blocks of Python on a page that use a stack or a server."""
    found = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text("utf-8"), re.DOTALL)
    return [block for block in found if "Waybill(" in block or "OpenAI(base_url" in block]


def test_the_python_of_the_pages_runs_as_it_stands(
    stack: Stack, server: ApiServer, new_client: Callable[..., OpenAI], tmp_path: Path
) -> None:
    blocks = {page: blocks_of(page) for page in PAGES}
    assert {page: len(found) for page, found in blocks.items()} == PAGES
    code = "\n".join(f"print({page!r})\n{block}" for page, found in blocks.items() for block in found)
    # What a reader puts in: the address of the server, and a key.
    code = code.replace("https://waybill.example.com", server.url).replace(
        "http://127.0.0.1:8080/v1", server.url
    )
    code = code.replace("sk-wb-…", new_client().api_key)
    (tmp_path / "batch.jsonl").write_text(chat_line(1))
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**stack.environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-4000:]
