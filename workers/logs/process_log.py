"""The log of a process on stderr: every line of it has the chosen form, from the first to the last."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from workers.logs.choice import LogFormat, chosen_format
from workers.logs.json_format import JsonFormatter, use_chosen

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_STDERR = 2

logger = logging.getLogger(__name__)


def process_name(part: str) -> str:
    """Return the name of this process in its log, such as `api@host-71`."""
    return f"{part}@{socket.gethostname()}-{os.getpid()}"


def log_to_stderr(name: str, *, level: int | None = logging.INFO) -> None:
    """Let Waybill's loggers write to stderr; libraries, and Python itself, only write warnings.

    Args:
        name: The name of this process.
        level: The level of Waybill's loggers; None leaves it to who sets up the log later.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    use_chosen(name)
    if level is not None:
        for package in ("tasks", "workers"):
            logging.getLogger(package).setLevel(level)
    if is_json():
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_in_thread


def is_json() -> bool:
    """Return whether the log is one of JSON objects."""
    return chosen_format() is LogFormat.JSON


def notices(name: str, write: Callable[[str], None], *, level: int = logging.INFO) -> Callable[[str], None]:
    """Return what writes a message of a process to stderr: by `write`, or as JSON where that is chosen."""
    return lambda text: say_json(name, text, level=level) if is_json() else write(text)


def say_json(name: str, text: str, *, level: int = logging.INFO) -> None:
    """Write a line of JSON to stderr, past all loggers and buffers: signal handlers may do so."""
    record = logging.LogRecord("workers", level, "", 0, text, None, None)
    os.write(_STDERR, f"{JsonFormatter(name).format(record)}\n".encode())


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):  # no failure: somebody asked for the end
        sys.__excepthook__(kind, error or kind(), traceback)
        return
    found = (kind, error, traceback) if error else None
    logger.critical("ended by an error: %s", kind.__name__, exc_info=found)


def _log_uncaught_in_thread(one: threading.ExceptHookArgs) -> None:
    if not issubclass(one.exc_type, SystemExit):  # which Python passes over, too
        _log_uncaught(one.exc_type, one.exc_value, one.exc_traceback)
