"""The checks of a dispatch worker's answers, made in a process of their own (`tasks.validation.child`)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from contextlib import suppress

from tasks.validation.child import job_line
from tasks.validation.values import Answer, AnswerCheck, Expectation

logger = logging.getLogger(__name__)

#: how long a check may take in all; the kernel ends it after `child.CPU_S` of processor time
TIMEOUT_S = 30.0
#: after so many checks that took too long, answers to the same demands are no longer checked
MAX_COSTLY = 3
#: after so many in a batch, none of its answers are: they would hold up those of others
MAX_COSTLY_OF_BATCH = 20
#: demands whose checks took too long that are remembered
MAX_REMEMBERED = 1_000
_LINE_BYTES = 64 << 20
#: the environment holds providers' keys, which the process does not need
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV")

UNCHECKED = AnswerCheck(None, "could not be checked")


class AnswerChecker:
    """A client of the checking process, which it starts with the first check and after each that failed.

    An instance serves one event loop. No failure of a check loses an answer: it then counts as not checked.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()
        self._costly: Counter[int] = Counter()
        self._costly_of_batch: Counter[int] = Counter()

    async def check(self, expectation: Expectation, answer: Answer, *, batch_no: int) -> AnswerCheck:
        """Return whether an answer fits; `valid` is None where the check took too long or failed."""
        if self._is_costly(expectation, batch_no):
            return UNCHECKED
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    return await self._checked(job_line(expectation, answer))
            except (EOFError, TimeoutError) as error:
                logger.warning("the check of an answer was ended: %s", type(error).__name__)
                self._note_costly(expectation, batch_no)
            except (OSError, ValueError) as error:
                logger.warning("an answer could not be checked: %s", type(error).__name__)
        return UNCHECKED

    async def aclose(self) -> None:
        """End the process."""
        async with self._one_at_a_time:
            process, self._process = self._process, None
            if process is not None:
                await _end(process)

    def _is_costly(self, expectation: Expectation, batch_no: int) -> bool:
        of_batch = self._costly_of_batch[batch_no] >= MAX_COSTLY_OF_BATCH
        return of_batch or self._costly[hash(expectation)] >= MAX_COSTLY

    def _note_costly(self, expectation: Expectation, batch_no: int) -> None:
        self._costly_of_batch[batch_no] += 1
        if len(self._costly) < MAX_REMEMBERED:
            self._costly[hash(expectation)] += 1

    async def _checked(self, job: bytes) -> AnswerCheck:
        """Make one check; a process that did not answer in full is never asked again."""
        process, self._process = self._process or await _start(), None
        try:
            result = json.loads(await _exchanged(process, job))
        except BaseException:
            await _end(process)
            raise
        self._process = process
        return AnswerCheck(result["valid"], result["reason"], result["text"], tuple(result["repaired"]))


async def _exchanged(process: asyncio.subprocess.Process, job: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(job)
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise EOFError
    return line


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _start() -> asyncio.subprocess.Process:
    """Start the process: with this one's modules, without its keys, and out of reach of its terminal."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tasks.validation.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES,
        env={**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,
    )
