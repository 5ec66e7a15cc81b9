"""Becomes `sitecustomize` of every process of a fault run: what failpoints in Waybill's own code cannot do.

`POISON` in a JSON text kills the process that reads it. TEST_LOSE_MESSAGE names a file: the worker that
creates it dies with a message that it has popped and not yet recorded. TEST_VISIBILITY_S shortens the time
after which Redis hands an unacknowledged message out again.
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
