"""The way to Redis: kombu's transport, which survives what it finds in a queue that is no message."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import redis

logger = logging.getLogger(__name__)

#: by app.conf.broker_transport
TRANSPORT = "tasks.broker:Transport"
#: what decoding a foreign item may raise: no JSON, no object, no properties in it
_NO_MESSAGE = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):
    """Drops what cannot be decoded. kombu would raise out of the worker's loop, which ends the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _NO_MESSAGE as error:
            # Its text may quote the item, and nobody knows who put it there: only the class is told.
            logger.warning("a queue held something that is no message: dropped (%s)", type(error).__name__)
            return True


class Transport(redis.Transport):
    """Redis with that channel."""

    Channel = Channel
