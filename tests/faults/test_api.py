"""The API server is killed, its disk is full, its database away: part of `make faults`.

No half file is ever visible, no batch is made twice, and the official client's own retries succeed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from tasks.store.api.tables import api_batch, api_file
from tests.support import api
from tests.support.api import ApiServer, await_end, chat_line, client, create_batch, http
from tests.support.ports import free_port
from tests.support.stack import Stack, WorkerProcess
from tests.support.stores import PostgresServer
from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess

pytestmark = pytest.mark.skipif(
    os.environ.get("FAULTS", "quick") == "quick", reason="only with `make faults`"
)
_RETRIES = 8


@pytest.fixture
def stack(tmp_path: Path, simulator: SimulatorProcess) -> Iterator[Stack]:
    settings = {"api": {"port": free_port(), "lease_s": 3.0}}
    with Stack(tmp_path / "stack", simulator=simulator, settings=settings) as stack:
        yield stack


@pytest.fixture
def key(stack: Stack) -> str:
    return api.new_key(stack, "team")


def _start(stack: Stack, failpoint: str = "") -> ApiServer:
    environment = {"WAYBILL_FAILPOINT": failpoint} if failpoint else None
    return api.start_api(stack, environment=environment, port=stack.settings.api.port)


def _restart_when_dead(stack: Stack, process: WorkerProcess) -> ApiServer:
    process.process.wait(60)
    return _start(stack)


def _count(stack: Stack, table: object) -> int:
    with stack.store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def _files(stack: Stack) -> list[str]:
    return [path.name for path in (stack.home / "files").iterdir()]


def test_a_server_that_dies_in_an_upload_leaves_no_file_and_the_retry_succeeds(
    stack: Stack, key: str
) -> None:
    server = _start(stack)
    content = os.urandom(1 << 20) * 60

    def kill() -> ApiServer:
        wait_until(lambda: any(name.endswith(".part") for name in _files(stack)), timeout_s=30, every_s=0.001)
        server.process.signal(signal.SIGKILL)
        assert _count(stack, api_file) == 0
        return _restart_when_dead(stack, server.process)

    with ThreadPoolExecutor(1) as pool:
        restarted = pool.submit(kill)
        openai = client(server, key, max_retries=_RETRIES)
        file = openai.files.create(file=("x.jsonl", content), purpose="batch")
        restarted.result()
    assert openai.files.content(file.id).content == content
    assert [one.id for one in openai.files.list()] == [file.id]


def test_a_creation_whose_reply_is_lost_with_the_server_makes_one_batch(
    stack: Stack, key: str, tmp_path: Path
) -> None:
    first = _start(stack)
    file = client(first, key).files.create(file=("x.jsonl", chat_line(1).encode()), purpose="batch")
    first.process.kill()
    dying = _start(stack, f"after_commit:group:1:{tmp_path / 'latch'}")
    with ThreadPoolExecutor(1) as pool:
        restarted = pool.submit(_restart_when_dead, stack, dying.process)
        openai = client(dying, key, max_retries=_RETRIES)
        batch = openai.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        restarted.result()
    assert (tmp_path / "latch").exists(), "the server did not die"
    assert _count(stack, api_batch) == 1
    assert [one.id for one in openai.batches.list()] == [batch.id]


def test_a_download_that_breaks_off_is_seen_and_goes_on_by_range(stack: Stack, key: str) -> None:
    server = _start(stack)
    stack.start("upkeep")
    stack.await_ready(stack.start("dispatch", "--models", "sim-nano"))
    openai = client(server, key)
    batch = await_end(openai, create_batch(openai, [chat_line(number) for number in range(3_000)]).id)
    path = f"/v1/files/{batch.output_file_id}/content"
    got = bytearray()
    with pytest.raises(httpx.HTTPError):
        _read_until_killed(server, key, path, got)
    again = _restart_when_dead(stack, server.process)
    with http(again, key) as plain:
        rest = plain.get(path, headers={"range": f"bytes={len(got)}-"})
        whole = plain.get(path)
    assert 0 < len(got) < len(whole.content)
    assert bytes(got) + rest.content == whole.content
    assert whole.content.count(b"\n") == 3_000


def _read_until_killed(server: ApiServer, key: str, path: str, got: bytearray) -> None:
    with http(server, key) as plain, plain.stream("GET", path) as response:
        for part in response.iter_bytes():
            got += part
            server.process.signal(signal.SIGKILL)


def test_a_validation_that_dies_is_done_by_the_next_server_each_line_once(stack: Stack, key: str) -> None:
    server = _start(stack)
    openai = client(server, key)
    created = create_batch(openai, [chat_line(number) for number in range(20_000)])
    wait_until(lambda: _has_run(stack, created.id), timeout_s=60, every_s=0.001)
    server.process.signal(signal.SIGKILL)
    assert stack.row(created.id)["status"] == "ingesting"
    _restart_when_dead(stack, server.process)
    wait_until(lambda: stack.row(created.id)["status"] == "in_progress", timeout_s=60)
    row = stack.row(created.id)
    assert (row["total"], row["invalid"]) == (20_000, 0)


def _has_run(stack: Stack, batch_id: str) -> bool:
    with stack.store.read() as connection:
        query = select(api_batch.c.in_progress_at).where(api_batch.c.id == batch_id)
        return connection.execute(query).scalar_one() is not None


def test_a_full_disk_refuses_the_upload_and_leaves_nothing(
    stack: Stack, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file may have so many KB, and no more, as if the disk were full then.
    command = ["bash", "-c", 'ulimit -f 8192; exec "$0" "$@"']
    import tests.support.stack as module

    popen = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda line, **more: popen([*command, *line], **more))
    server = _start(stack)
    with http(server, key) as plain:
        response = plain.post(
            "/v1/files", data={"purpose": "batch"}, files={"file": ("x.jsonl", b"x" * (20 << 20))}
        )
        assert response.status_code == 503
        assert response.json()["error"]["type"] == "server_error"
        assert _files(stack) == []
        response = plain.post("/v1/files", data={"purpose": "batch"}, files={"file": ("x.jsonl", b"x")})
        assert response.status_code == 200


def test_while_the_database_is_away_requests_fail_and_the_client_s_retry_succeeds(
    tmp_path: Path, simulator: SimulatorProcess
) -> None:
    with PostgresServer(survives=True) as postgres:
        settings = {"api": {"port": free_port()}}
        store_url = postgres.database()
        with Stack(tmp_path / "stack", simulator=simulator, store_url=store_url, settings=settings) as stack:
            server = _start(stack)
            key = api.new_key(stack, "team")
            openai = client(server, key, max_retries=_RETRIES)
            file = openai.files.create(file=("x.jsonl", chat_line(1).encode()), purpose="batch")
            postgres.crash()
            with http(server, key) as plain:
                response = plain.get("/v1/files")
            assert response.status_code == 503
            assert response.headers["retry-after"]
            timer = threading.Timer(2.0, postgres.restart)
            timer.start()
            began = time.monotonic()
            batch = openai.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            assert time.monotonic() - began > 1
            timer.join()
            assert [one.id for one in openai.batches.list()] == [batch.id]
            wait_until(lambda: _has_run(stack, batch.id), timeout_s=60)
