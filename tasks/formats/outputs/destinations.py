"""Where results are written: files, compressed if their name says so, and places behind URLs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from router_core.compression import compressed
from tasks.formats.errors import FormatError
from tasks.formats.locations.location import Location, RemoteFile
from tasks.formats.locations.remote import upload
from tasks.formats.outputs.atomic import replacing


@contextmanager
def destinations(locations: Sequence[Location]) -> Iterator[Sequence[BinaryIO]]:
    """Yield a stream for each location; all appear as a whole, when the block ends without an error.

    What goes to a URL is written to a temporary file first, and then uploaded: memory stays flat, and nobody
    sees half of it.

    Raises:
        FormatError: A location cannot be written; if it never could, before anything is.
    """
    for location in locations:
        if isinstance(location, RemoteFile) and location.is_read_only:
            raise FormatError(location, f"cannot be written: {location.scheme} is only read")
    with tempfile.TemporaryDirectory(prefix="waybill-") as folder:
        drafts = [
            Path(folder) / str(number) if isinstance(location, RemoteFile) else location
            for number, location in enumerate(locations)
        ]
        with replacing(drafts) as streams, ExitStack() as opened:
            pairs = zip(streams, locations, strict=True)
            yield [opened.enter_context(compressed(stream, location.name)) for stream, location in pairs]
        for draft, location in zip(drafts, locations, strict=True):
            if isinstance(location, RemoteFile):
                upload(draft, location)
