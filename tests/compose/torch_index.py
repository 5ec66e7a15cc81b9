"""Where the images get torch without CUDA: PyTorch's own index, or the wheel that this machine has."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from tests.compose.engine import REPOSITORY, Missing

_INDEX = "https://download.pytorch.org/whl/cpu"
#: a fixed port, because the address is part of the key under which BuildKit keeps the download
_PORT = 8099


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def torch_index() -> Iterator[str]:
    """The address of an index that has torch's CPU build, while the block lasts.

    Raises:
        Missing: PyTorch's index does not answer, and there is no wheel here.
    """
    if answers(f"{_INDEX}/torch/"):
        yield _INDEX
        return
    wheel = _local_wheel()
    if wheel is None:
        raise Missing(f"{_INDEX} does not answer, and no CPU wheel of torch is in $PIP_FIND_LINKS")
    with TemporaryDirectory(prefix="waybill-torch-") as folder:
        (Path(folder) / "torch").mkdir()
        (Path(folder) / "torch" / wheel.name).symlink_to(wheel)
        with _served(folder) as address:
            yield address


def answers(url: str) -> bool:
    """Whether an address answers within 15 s and without an error."""
    try:
        with urlopen(url, timeout=15) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False


def _local_wheel() -> Path | None:
    pin = re.search(r"^torch==([\d.]+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    assert pin is not None
    folders = os.environ.get("PIP_FIND_LINKS", "").split()
    pattern = f"torch-{pin[1]}+cpu-cp311-*_x86_64.whl"
    return next((file for folder in folders for file in sorted(Path(folder).glob(pattern))), None)


@contextmanager
def _served(folder: str) -> Iterator[str]:
    try:
        server = ThreadingHTTPServer(("127.0.0.1", _PORT), partial(_Quiet, directory=folder))
    except OSError:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
