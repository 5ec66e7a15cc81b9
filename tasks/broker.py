"""The Celery transport: kombu's Redis transport, which here drops queue items that it cannot decode."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import redis

logger = logging.getLogger(__name__)

#: the value of the Celery setting `broker_transport`
TRANSPORT = "tasks.broker:Transport"
#: raised while decoding an item that is not JSON, not an object, or has no message properties
_DECODING_ERRORS = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):
    """A channel that drops undecodable items; kombu's own would raise out of the worker's loop and end it."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _DECODING_ERRORS as error:
            # Only the class is logged: the error's text may quote the item, which may hold anything.
            logger.warning("a queue held something that is no message: dropped (%s)", type(error).__name__)
            return True


class Transport(redis.Transport):
    """kombu's Redis transport with `Channel`."""

    Channel = Channel
