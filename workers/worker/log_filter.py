"""Messages that Celery cannot use: it logs their bodies and what raised; here only what is wrong is said.

Nothing of Waybill's puts anything but ids into Redis. Whoever else does may put anything there, and it must
not end up in the logs.
"""

from __future__ import annotations

import logging

from celery.worker.consumer import consumer

#: Celery's formats whose arguments quote a message
_QUOTING = {
    consumer.UNKNOWN_FORMAT: "not a task message",
    consumer.UNKNOWN_TASK_ERROR: "no such task",
    consumer.INVALID_TASK_ERROR: "not as a task message should be",
    consumer.MESSAGE_DECODE_ERROR: "its body cannot be decoded",
}


def install_log_filter() -> None:
    """Let this worker say no more about such a message than what is wrong with it."""
    logging.getLogger(consumer.__name__).addFilter(_shorten)


def _shorten(record: logging.LogRecord) -> bool:
    reason = _QUOTING.get(str(record.msg))
    if reason is not None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "no error"
        record.msg, record.args = "a foreign message was dropped: %s (%s)", (reason, kind)
        record.exc_info = record.exc_text = None
    return True
