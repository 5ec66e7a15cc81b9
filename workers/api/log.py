"""The log of the server: a line for each request, on stderr, and none of uvicorn's own."""

from __future__ import annotations

import logging
import os
import socket
import sys

from workers.logs.json_format import use_chosen


def log_to_stderr(level: int = logging.INFO) -> None:
    """Let Waybill's loggers write to stderr; libraries only write warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    use_chosen(f"api@{socket.gethostname()}-{os.getpid()}")
    for name in ("tasks", "workers"):
        logging.getLogger(name).setLevel(level)
    # uvicorn would log the query and the traceback of a request, the parser of forms what it cannot read.
    for name in ("uvicorn", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
