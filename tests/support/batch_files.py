"""A batch file, results, and the ways to compress them."""

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator

from router_core.compression import compressed
from tasks.formats.results import ResultRecord

LINES = b"".join(b'{"id": %d, "prompt": "prompt %d"}\n' % (n, n) for n in range(20_000))
COMPLETION = {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "x"}}]}


def records(number: int) -> Iterator[ResultRecord]:
    for n in range(number):
        yield ResultRecord(f"r-{n}", f"r{n}", n + 1, 200, COMPLETION, None, None, None, {})


def zstd(data: bytes) -> bytes:
    out = io.BytesIO()
    with compressed(out, "x.zst") as stream:
        stream.write(data)
    return out.getvalue()


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}
