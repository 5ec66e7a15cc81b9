"""An API server that keeps its files in an object store."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai import OpenAI

from tests.support import api
from tests.support.api import await_end, chat_line, create_batch, http, lines_of
from tests.support.s3_server import BUCKET, s3_server
from tests.support.stack import Stack
from workers.simulator import SimulatorProcess


def test_files_lie_in_an_object_store_and_batches_are_made_of_them(
    tmp_path: Path, simulator: SimulatorProcess
) -> None:
    with s3_server() as environment:
        if environment is None:
            pytest.skip("moto cannot be installed here")
        settings = {"api": {"files": f"s3://{BUCKET}/files"}}
        with Stack(
            tmp_path / "stack", simulator=simulator, settings=settings, environment=environment
        ) as stack:
            stack.start("upkeep")
            stack.await_ready(stack.start("dispatch", "--models", "sim-nano"))
            server = api.start_api(stack)
            openai = api.client(server, api.new_key(stack, "team"))
            _check_upload(openai, server)
            batch = await_end(openai, create_batch(openai, [chat_line(number) for number in range(5)]).id)
            assert batch.status == "completed"
            assert len(lines_of(openai, batch.output_file_id)) == 5
            assert not (stack.home / "files").exists()


def _check_upload(openai: OpenAI, server: api.ApiServer) -> None:
    content = b"0123456789" * 2_000_000
    file = openai.files.create(file=("x.jsonl", content), purpose="batch")
    assert openai.files.content(file.id).content == content
    with http(server, openai.api_key) as client:
        part = client.get(f"/v1/files/{file.id}/content", headers={"range": "bytes=5-14"})
    assert (part.status_code, part.content) == (206, b"5678901234")
    assert part.headers["content-range"] == f"bytes 5-14/{len(content)}"
    upload = openai.uploads.create(bytes=6, filename="x", mime_type="text/plain", purpose="batch")
    ids = [openai.uploads.parts.create(upload.id, data=data).id for data in (b"abc", b"def")]
    done = openai.uploads.complete(upload.id, part_ids=ids)
    assert done.file is not None
    assert openai.files.content(done.file.id).content == b"abcdef"
    assert openai.files.delete(file.id).deleted
