"""The process that checks answers: what it survives, and that it loses no answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from tasks.validation import checker
from tasks.validation.checker import AnswerChecker
from tasks.validation.values import Answer, AnswerCheck, Expectation

INTEGER = Expectation('{"type":"integer"}')


def slow(number: int = 0) -> Expectation:
    """A demand whose check takes 2^40 steps."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"title": str(number), "$defs": {**twice, "d40": {"type": "integer"}}, "$ref": "#/$defs/d0"}
    return Expectation(json.dumps(schema))


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "tasks.validation.child" in " ".join(command_of(one))]


def command_of(process: psutil.Process) -> list[str]:
    """Return the command of a process; one that ended, and that nobody has waited for yet, has none."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@asynccontextmanager
async def opened() -> AsyncIterator[AnswerChecker]:
    made = AnswerChecker()
    try:
        yield made
    finally:
        await made.aclose()


def run(work: Callable[[AnswerChecker], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened() as made:
            await work(made)
        assert children() == []

    asyncio.run(main())


def test_many_answers_share_one_process_and_keep_their_own_results() -> None:
    async def work(made: AnswerChecker) -> None:
        texts = [str(n) if n % 2 else f"n{n}" for n in range(200)]
        found = await asyncio.gather(*(made.check(INTEGER, Answer(text), batch_no=1) for text in texts))
        assert [one.valid for one in found] == [bool(n % 2) for n in range(200)]
        assert len(children()) == 1

    run(work)


def test_a_slow_check_is_ended_and_the_next_one_is_made(caplog: pytest.LogCaptureFixture) -> None:
    async def work(made: AnswerChecker) -> None:
        slow_one, quick = await asyncio.gather(
            made.check(slow(), Answer("1"), batch_no=1), made.check(INTEGER, Answer("1"), batch_no=1)
        )
        assert slow_one == checker.UNCHECKED
        assert quick == AnswerCheck(True)

    run(work)
    assert "EOFError" in caplog.text, "the kernel ends it, long before the check would time out"


def test_demands_that_are_slow_again_and_again_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "MAX_COSTLY", 1)

    async def work(made: AnswerChecker) -> None:
        await made.check(slow(), Answer("1"), batch_no=1)
        before = children()
        assert await made.check(slow(), Answer("1"), batch_no=2) == checker.UNCHECKED
        assert children() == before == []

    run(work)


def test_a_batch_of_slow_demands_does_not_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "MAX_COSTLY_OF_BATCH", 1)

    async def work(made: AnswerChecker) -> None:
        await made.check(slow(1), Answer("1"), batch_no=1)
        assert await made.check(INTEGER, Answer("1"), batch_no=1) == checker.UNCHECKED
        assert await made.check(INTEGER, Answer("1"), batch_no=2) == AnswerCheck(True)

    run(work)


def test_a_process_that_is_killed_is_started_again() -> None:
    async def work(made: AnswerChecker) -> None:
        assert (await made.check(INTEGER, Answer("1"), batch_no=1)).valid
        (child,) = children()
        os.kill(child.pid, signal.SIGKILL)
        assert await made.check(INTEGER, Answer("1"), batch_no=1) == checker.UNCHECKED
        assert (await made.check(INTEGER, Answer("1"), batch_no=1)).valid

    run(work)


def test_a_check_that_is_cancelled_leaves_no_result_to_the_next_one() -> None:
    async def work(made: AnswerChecker) -> None:
        waiting = asyncio.create_task(made.check(slow(), Answer("1"), batch_no=1))
        await asyncio.sleep(0.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await made.check(INTEGER, Answer("x"), batch_no=1) == AnswerCheck(False, "not JSON")

    run(work)


def test_a_process_that_cannot_be_started_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    async def work(made: AnswerChecker) -> None:
        for _ in range(checker.MAX_COSTLY + 1):
            assert await made.check(INTEGER, Answer("1"), batch_no=1) == checker.UNCHECKED
        monkeypatch.undo()
        assert (await made.check(INTEGER, Answer("1"), batch_no=1)).valid

    run(work)


def test_long_texts_and_odd_characters_pass_through() -> None:
    async def work(made: AnswerChecker) -> None:
        text = json.dumps({"a": "\n\u2028\ud800é" * 200_000}, ensure_ascii=False)
        wrapped = f"```json\n{text}\n```"
        found = await made.check(Expectation("{}"), Answer(wrapped), batch_no=1)
        assert found.text == text

    run(work)


def test_the_process_has_no_keys_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_KEY", "secret")

    async def work(made: AnswerChecker) -> None:
        await made.check(INTEGER, Answer("1"), batch_no=1)
        (child,) = children()
        assert "PROVIDER_KEY" not in child.environ()
        assert child.rlimit(psutil.RLIMIT_AS)[0] > 0
        assert child.memory_info().rss < 100 << 20

    run(work)
