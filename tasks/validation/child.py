"""The process in which answers are checked: `python -m tasks.validation.child`, a JSON line in, one out.

Schemas, patterns and answers are other people's. Some take exponential time or too deep a stack to check, and
nothing in a process can stop that. Here the kernel ends the process, and the dispatch worker starts another.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict

from tasks.validation.checks import check
from tasks.validation.values import Answer, Expectation

#: the processor time of one check, and the memory of the process
CPU_S = 2.0
MEMORY_BYTES = 2 << 30


def main() -> None:
    """Check answers until the input ends."""
    with suppress(ValueError, OSError):  # not on every platform
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin.buffer:
        # SIGPROF ends the process: no handler of Python would run while a check does.
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        result = checked_line(line)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(result + b"\n")
        sys.stdout.buffer.flush()


def job_line(expectation: Expectation, answer: Answer) -> bytes:
    """Return a check to make as a line."""
    return json.dumps([asdict(expectation), asdict(answer)]).encode() + b"\n"


def checked_line(line: bytes) -> bytes:
    """Return the result of the check in a line."""
    expectation, answer = json.loads(line)
    tools = tuple((name, parameters) for name, parameters in expectation["tools"])
    calls = tuple((name, arguments) for name, arguments in answer["calls"])
    expected = Expectation(expectation["schema"], tools, tuple(expectation["validators"]))
    result = check(expected, Answer(answer["text"], calls, answer["refused"], answer["cut"]))
    return json.dumps(asdict(result)).encode()


if __name__ == "__main__":
    main()
