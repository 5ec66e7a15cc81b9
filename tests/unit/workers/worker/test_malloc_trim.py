"""Free memory between blocks in use goes back to the system."""

import sys
import threading

import psutil
import pytest

from workers.worker.malloc_trim import find_malloc_trim, trim_periodically

BLOCK = 4096
BLOCKS = 20_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_trimming_gives_back_what_lies_free_between_blocks_in_use() -> None:
    trim = find_malloc_trim()
    if trim is None:
        pytest.skip("no glibc here")
    process = psutil.Process()
    blocks = [bytes([n % 251]) * BLOCK for n in range(BLOCKS)]
    kept = blocks[::50]
    full = process.memory_info().rss
    del blocks
    trim()
    given_back = full - process.memory_info().rss
    # Every page but those of the blocks in use and of their neighbours.
    assert given_back > BLOCKS * BLOCK * 0.8
    assert len(kept) == BLOCKS // 50


def test_trimming_goes_on_in_a_thread_that_ends_with_the_process() -> None:
    trim_periodically(every_s=3600)
    if find_malloc_trim() is not None:
        assert [thread.daemon for thread in threading.enumerate() if thread.name == "trimming"] == [True]
