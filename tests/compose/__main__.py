"""`make test-compose`: builds the images, brings the stack up and tests it, where an engine is."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.compose.engine import CommandFailed, Missing
from tests.compose.preparation import prepare


def main() -> int:
    """Return the exit status of the tests; 0, with the reason, where something that they need is missing."""
    began = time.monotonic()
    try:
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


if __name__ == "__main__":
    sys.exit(main())
