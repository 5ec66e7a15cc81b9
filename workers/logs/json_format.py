"""The JSON form of log records, and the use of the chosen form by the loggers of a process."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from tasks.log_context import LOG_CONTEXT
from workers.logs.choice import LogFormat, chosen_format
from workers.logs.events import EVENTS, INTERNAL_DESCRIPTION, INTERNAL_ERROR, OTHER, TASK_EVENTS
from workers.logs.text_format import TextFormatter

_CELERY_LOGGERS = ("celery", "celery.task", "celery.redirected", "multiprocessing")


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time, level, event, message, worker, and what the event is about."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        event, fields = _event_of(record)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": event,
            "message": record.getMessage(),
            "logger": record.name,
            "worker": self._worker,
            **(LOG_CONTEXT.get() or {}),
            **fields,
        }
        if record.exc_info and record.exc_info[0]:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _event_of(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    if isinstance(record.args, dict) and record.msg in TASK_EVENTS:
        known = {"task": record.args.get("name"), "task_id": record.args.get("id")}
        is_internal = record.args.get("description") == INTERNAL_DESCRIPTION
        return INTERNAL_ERROR if is_internal else TASK_EVENTS[record.msg], known
    if not record.name.startswith(("tasks.", "workers.", "celery.worker")) or record.msg not in EVENTS:
        return OTHER, {}
    event, *names = EVENTS[record.msg]
    return event, dict(zip(names, record.args if isinstance(record.args, tuple) else (), strict=False))


def use_chosen(worker: str) -> None:
    """Let the handlers that this process has write the chosen form, each line with what it is about."""
    is_json = chosen_format() is LogFormat.JSON
    for handler in {one for name in (None, *_CELERY_LOGGERS) for one in logging.getLogger(name).handlers}:
        if is_json:
            handler.setFormatter(JsonFormatter(worker))
        elif not isinstance(handler.formatter, TextFormatter):
            handler.setFormatter(TextFormatter(handler.formatter or logging.Formatter()))
