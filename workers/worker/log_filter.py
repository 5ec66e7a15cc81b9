"""A log filter for messages that Celery cannot use: it logs what is wrong with one, never its content.

Waybill's own messages hold ids only. Other programs may put anything into Redis, and Celery would quote it.
"""

from __future__ import annotations

import logging

from celery.worker.consumer import consumer

#: Celery's log formats whose arguments quote a message, and what to log in their place.
_REASONS = {
    consumer.UNKNOWN_FORMAT: "not a task message",
    consumer.UNKNOWN_TASK_ERROR: "no such task",
    consumer.INVALID_TASK_ERROR: "not as a task message should be",
    consumer.MESSAGE_DECODE_ERROR: "its body cannot be decoded",
}


def install_log_filter() -> None:
    """Keep the content of unusable messages out of this worker's log."""
    logging.getLogger(consumer.__name__).addFilter(_replace_content)


def _replace_content(record: logging.LogRecord) -> bool:
    reason = _REASONS.get(str(record.msg))
    if reason is not None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "no error"
        record.msg, record.args = "a foreign message was dropped: %s (%s)", (reason, kind)
        record.exc_info = record.exc_text = None
    return True
