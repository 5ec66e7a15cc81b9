"""`make test-compose`: builds the images, brings the stack up and tests it, where an engine is."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.compose.engine import CommandFailed, Missing
from tests.compose.preparation import prepare

#: ten minutes more than images and tests together take when nothing is cached
_PREPARE_S = 1_500


def main() -> int:
    """Return the exit status of the tests; 0, with the reason, where something that they need is missing."""
    began = time.monotonic()
    try:
        with _limit(_PREPARE_S):
            prepare()
    except Missing as missing:
        print(f"test-compose: not run: {missing}")
        return 0
    except CommandFailed as error:
        print(f"test-compose: an image could not be built\n{error}", file=sys.stderr)
        return 1
    print(f"images ready after {time.monotonic() - began:.0f} s", flush=True)
    options = sys.argv[1:] or ["-x", "-v", "--durations=0", "--durations-min=1"]
    status = pytest.main([*options, str(Path(__file__).parent)])
    print(f"test-compose: exit status {int(status)} after {time.monotonic() - began:.0f} s")
    return int(status)


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raise `Missing` if the block takes longer: the network or the machine is too slow."""

    def too_slow(number: int, frame: FrameType | None) -> None:
        raise Missing(f"the images were not ready after {seconds} s")

    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
