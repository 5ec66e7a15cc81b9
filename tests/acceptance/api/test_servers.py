"""Several servers behind one store, and one with TLS."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from openai import NotFoundError, OpenAI

from tests.support import api
from tests.support.api import ApiServer, await_end, chat_line, create_batch, http, lines_of
from tests.support.processes import is_alive
from tests.support.stack import Stack
from tests.support.waiting import wait_until


def test_what_one_server_took_every_other_one_has(stack: Stack, new_client: Callable[..., OpenAI]) -> None:
    key, server, other = new_client().api_key, api.start_api(stack), api.start_api(stack)
    openai, second = api.client(server, key), api.client(other, key)
    file = openai.files.create(file=("x.jsonl", chat_line(1).encode()), purpose="batch")
    wanted = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    created = [client.batches.create(**wanted) for client in (openai, second)]  # type: ignore[arg-type]
    assert created[0].id == created[1].id, "a retry that another server gets makes no second batch"
    server.process.terminate()
    batch = await_end(second, created[0].id)
    assert len(lines_of(second, batch.output_file_id)) == 1
    assert [one.id for one in second.files.list(purpose="batch")] == [file.id]
    other.process.terminate()


def test_a_batch_s_events_and_manifest_are_its_key_s_only(
    server: ApiServer, new_client: Callable[..., OpenAI]
) -> None:
    mine, other = new_client(), new_client()
    batch = await_end(mine, create_batch(mine, [chat_line(1)]).id)
    for path in ("events", "manifest"):
        for key, status in ((mine.api_key, 200), (other.api_key, 404)):
            with http(server, key) as client:
                assert client.get(f"/v1/batches/{batch.id}/{path}").status_code == status
    with pytest.raises(NotFoundError):
        other.batches.cancel(batch.id)


def test_a_server_that_is_stopped_leaves_no_process(stack: Stack) -> None:
    for threads in (1, 5):  # while its intake starts, and after that
        stopped = api.start_api(stack)
        server = psutil.Process(stopped.process.process.pid)
        wait_until(partial(_has_threads, server, threads), timeout_s=200)
        family = server.children(recursive=True)
        assert stopped.process.terminate() == 0
        assert [one for one in family if is_alive(one)] == []


def _has_threads(server: psutil.Process, number: int) -> bool:
    """Return whether the server's child has so many threads: its intake works with several."""
    with suppress(psutil.NoSuchProcess):
        return any(child.num_threads() >= number for child in server.children())
    return False


def test_with_a_certificate_it_speaks_tls_only(
    stack: Stack, new_client: Callable[..., OpenAI], tmp_path: Path
) -> None:
    certificate, key = tmp_path / "api.pem", tmp_path / "api.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no openssl")
    environment = {"WAYBILL_API__TLS_CERTIFICATE": str(certificate), "WAYBILL_API__TLS_KEY": str(key)}
    tls = api.start_api(stack, environment=environment)
    assert tls.url.startswith("https://")
    with httpx.Client(verify=ssl.create_default_context(cafile=str(certificate))) as trusted:
        client = OpenAI(api_key=new_client().api_key, base_url=tls.url, http_client=trusted, max_retries=0)
        assert client.models.list().data
    with pytest.raises(httpx.HTTPError):
        httpx.get(tls.url.replace("https:", "http:"))
    tls.process.terminate()
