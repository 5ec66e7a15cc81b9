"""Submissions that are cancelled or interrupted, through the Python API: the exception says what is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.store import batches
from tasks.submission import submit
from tasks.submission.batch_writer import BatchWriter
from tests.support.one_model import named, write_settings
from waybill import AsyncWaybill, Waybill


def test_a_submission_that_nobody_awaits_any_more_reads_no_further(store_url: str, tmp_path: Path) -> None:
    begun, cancelled, ended = threading.Event(), threading.Event(), threading.Event()

    def prompts() -> Iterator[dict[str, str]]:
        try:
            yield from named("a")
            begun.set()
            assert cancelled.wait(400)
            yield from named("b", "c")
            raise AssertionError("it was read to its end")
        finally:
            ended.set()

    async def run() -> None:
        async with AsyncWaybill(write_settings(tmp_path, store_url)) as twin:
            submission = asyncio.create_task(twin.submit(prompts()))
            await asyncio.to_thread(begun.wait, 400)
            submission.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submission
            cancelled.set()
            await asyncio.to_thread(ended.wait, 400)
            assert await twin.batches() == []

    asyncio.run(run())


def test_a_cancelled_submission_names_the_batch_that_holds_its_first_lines(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "FIRST_LINES", 2)
    begun, cancelled = threading.Event(), threading.Event()

    def prompts() -> Iterator[dict[str, str]]:
        yield from named("a", "b", "c")
        begun.set()
        assert cancelled.wait(400)
        yield from named("d", "e")

    async def run() -> None:
        async with AsyncWaybill(write_settings(tmp_path, store_url)) as twin:
            submission = asyncio.create_task(twin.submit(prompts()))
            await asyncio.to_thread(begun.wait, 400)
            submission.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await submission
            cancelled.set()
            [left] = await twin.batches()
            assert caught.value.batch_id == left.id  # type: ignore[attr-defined]
            assert left.id in caught.value.__notes__[0]

    asyncio.run(run())


def test_a_wait_that_is_cancelled_says_that_the_batch_goes_on(store_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncWaybill(write_settings(tmp_path, store_url)) as twin:
            batch = await twin.submit(named("a"))
            waiting = asyncio.create_task(batch.wait(progress=False))
            await asyncio.sleep(0)  # it has begun
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await waiting
            assert caught.value.__notes__[0].startswith(f"{batch.id} goes on")

    asyncio.run(run())


def test_a_submission_cancelled_as_its_batch_is_stored_names_it(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating, cancelled = threading.Event(), threading.Event()
    create = batches.create

    def held_up(*arguments: Any, **options: Any) -> Any:
        row = create(*arguments, **options)
        creating.set()
        assert cancelled.wait(400)
        return row

    monkeypatch.setattr(batches, "create", held_up)

    async def run() -> None:
        async with AsyncWaybill(write_settings(tmp_path, store_url)) as twin:
            submission = asyncio.create_task(twin.submit(named("a")))
            await asyncio.to_thread(creating.wait, 400)
            submission.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submission
            cancelled.set()
            assert await twin.batches() == []  # it was stopped before it was stored

    asyncio.run(run())


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_ctrl_c_as_the_first_lines_are_stored_names_their_batch(
    waybill: Waybill, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    write = BatchWriter.write

    def interrupted(self: BatchWriter, part: Any) -> Any:
        write(self, part)
        raise KeyboardInterrupt

    monkeypatch.setattr(BatchWriter, "write", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        waybill.submit(named(*names))
    [left] = waybill.batches()
    assert caught.value.batch_id == left.id  # type: ignore[attr-defined]
    [note] = caught.value.__notes__
    assert left.id in note
    with pytest.raises(KeyboardInterrupt) as again:
        waybill.submit([*named(*names), *named("z")], resume=left.id)
    assert [one for one in again.value.__notes__ if "nothing was stored" in one] == []


def test_ctrl_c_before_anything_is_stored_says_so(waybill: Waybill) -> None:
    def prompts() -> Iterator[dict[str, str]]:
        yield from named("a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        waybill.submit(prompts())
    assert caught.value.__notes__ == ["nothing was stored, and there is no batch: submit again"]
    assert waybill.batches() == []
