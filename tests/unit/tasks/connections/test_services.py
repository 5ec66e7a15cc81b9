"""Which service an error is of, and whether it may pass."""

import sqlite3

import kombu.exceptions
import psycopg
import pytest
import redis
import sqlalchemy.exc

from tasks.connections.services import is_of_values, service_of


@pytest.mark.parametrize(
    ("error", "service"),
    [
        (sqlalchemy.exc.OperationalError("", {}, Exception()), "the store"),
        (sqlite3.OperationalError(), "the store"),
        (psycopg.OperationalError(), "the store"),
        (kombu.exceptions.OperationalError(), "Redis"),
        (redis.ConnectionError(), "Redis"),
        (ConnectionRefusedError(), "Redis"),
        (KeyError(), "Waybill"),
    ],
)
def test_an_error_is_of_the_service_whose_library_raised_it(error: Exception, service: str) -> None:
    assert service_of(error) == service


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlalchemy.exc.OperationalError("", {}, Exception()), False),
        (sqlalchemy.exc.InternalError("", {}, Exception()), False),
        (sqlalchemy.exc.TimeoutError(), False),
        (redis.ConnectionError(), False),
        (ConnectionResetError(), False),
        (sqlalchemy.exc.DataError("", {}, Exception()), True),
        (sqlalchemy.exc.IntegrityError("", {}, Exception()), True),
        (sqlalchemy.exc.StatementError("", "", {}, Exception()), True),
        (sqlalchemy.exc.NoResultFound(), True),
        (OverflowError(), True),
        (UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"), True),
    ],
    ids=lambda one: type(one).__name__,
)
def test_only_errors_of_the_values_would_come_again(error: Exception, expected: bool) -> None:
    assert is_of_values(error) is expected
