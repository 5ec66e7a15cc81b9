"""`sitecustomize` of every process of a fault run: faults that failpoints in Waybill's code cannot cause.

`POISON` in a JSON text kills the process that reads it. TEST_LOSE_MESSAGE names a file: the worker that
creates it dies with a message that it has popped and not yet recorded. TEST_VISIBILITY_S shortens the time
after which Redis hands an unacknowledged message out again. TEST_CLOCK names a file with the seconds by which
the host's clock is ahead, SQLite's included (libfaketime breaks Python's sleeps).
"""

import json
import os
import signal

POISON = "die-on-reading"

_loads = json.loads


def _deadly(text, *args, **kwargs):
    if isinstance(text, str) and POISON in text:
        os.kill(os.getpid(), signal.SIGKILL)
    return _loads(text, *args, **kwargs)


json.loads = _deadly

if offset := os.environ.get("TEST_CLOCK"):
    import sqlite3
    import time

    _time, _connect = time.time, sqlite3.dbapi2.connect

    def _turned():
        with open(offset) as file:
            return _time() + float(file.read() or 0)

    def _with_its_clock(*args, **kwargs):
        connection = _connect(*args, **kwargs)
        connection.create_function("julianday", 1, lambda _: _turned() / 86400 + 2440587.5)
        return connection

    time.time = _turned
    sqlite3.connect = sqlite3.dbapi2.connect = _with_its_clock

if latch := os.environ.get("TEST_LOSE_MESSAGE"):
    from kombu.transport import redis

    _append = redis.QoS.append

    def _lose(self, message, delivery_tag):
        try:
            os.close(os.open(latch, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return _append(self, message, delivery_tag)
        os._exit(1)

    redis.QoS.append = _lose

if seconds := os.environ.get("TEST_VISIBILITY_S"):
    import tasks.app

    tasks.app._CONFIG["broker_transport_options"] |= {
        "visibility_timeout": float(seconds),
        "unacked_restore_interval": 1,
    }
