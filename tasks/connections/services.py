"""Which service an error is of, and whether it may pass: the classes of their libraries do not tell."""

from __future__ import annotations

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NoResultFound,
    SQLAlchemyError,
    StatementError,
)

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


def is_of_values(error: Exception) -> bool:
    """Return whether an error of a write is of the values, so that the same write would fail again.

    An integer may have more digits than its column holds, a text a character that the database has not, and
    the row that a value names may be missing.
    All other errors may pass: the store is down, locked or full, or its schema is being changed.
    """
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | NoResultFound) or service_of(error) == "Waybill"
