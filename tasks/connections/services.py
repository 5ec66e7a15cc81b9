"""Which service an error is of, for the log: the classes of their libraries do not tell."""

from __future__ import annotations

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

#: the packages of the databases' drivers, whose errors SQLAlchemy mostly wraps
_DRIVERS = frozenset({"psycopg", "sqlite3"})


def service_of(error: Exception) -> str:
    """Return `the store`, `Redis`, or `Waybill` for any other error, which is a defect.

    kombu's and the database's OperationalError have one name; what the system says of a connection that is
    not wrapped is of Redis.
    """
    if isinstance(error, SQLAlchemyError) or type(error).__module__.partition(".")[0] in _DRIVERS:
        return "the store"
    return "Redis" if isinstance(error, RedisError | BrokerError | OSError) else "Waybill"
