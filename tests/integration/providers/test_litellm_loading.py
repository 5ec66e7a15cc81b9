"""When LiteLLM is loaded, and what its loading leaves alone."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import REPOSITORY

LAZY = """
import asyncio, sys, threading
from aiohttp import web
from tasks.providers import Deployment
from tasks.providers.composite_provider import CompositeProvider
from tests.support.provider_server import COMPLETION, REQUEST, serving

loading = set()  # the threads that load LiteLLM

def watch(event, given):
    if event == "import" and given[0] in ("litellm", "openai"):
        loading.add(threading.current_thread())

async def answer(_):
    return web.json_response(COMPLETION)

async def main():
    sys.addaudithook(watch)
    async with serving(answer) as base:
        provider = CompositeProvider()
        deployment = Deployment("m", "openai/m", api_base=base)
        await provider.complete(deployment, REQUEST)
        assert not loading and "litellm" not in sys.modules and "openai" not in sys.modules
        await provider.complete(deployment, {**REQUEST, "web_search_options": {}})
        assert "litellm" in sys.modules
        assert loading and threading.main_thread() not in loading
        await provider.aclose()

asyncio.run(main())
"""


def test_litellm_is_loaded_by_the_first_request_that_needs_it_beside_the_event_loop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAZY], cwd=REPOSITORY, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr


WITHOUT_ENV_FILE = """
import dotenv, sys
dotenv.load_dotenv = lambda *_, **__: sys.exit("a file .env is read")
from tasks.providers.litellm_setup import import_litellm
import_litellm()
"""


def test_the_load_of_litellm_changes_no_variable_that_another_call_reads() -> None:
    command = [sys.executable, "-c", WITHOUT_ENV_FILE]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
