"""The log of the server: a line for each request, on stderr, and none of uvicorn's own."""

from __future__ import annotations

import logging

from workers.logs import process_log


def log_to_stderr(level: int = logging.INFO) -> None:
    """Let Waybill's loggers write to stderr; libraries only write warnings."""
    process_log.log_to_stderr(process_log.process_name("api"), level=level)
    # uvicorn would log the query and the traceback of a request, the parser of forms what it cannot read.
    for name in ("uvicorn", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
