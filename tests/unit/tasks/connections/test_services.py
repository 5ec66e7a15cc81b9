"""Which service an error is of."""

import sqlite3

import kombu.exceptions
import psycopg
import pytest
import redis
import sqlalchemy.exc

from tasks.connections.services import service_of


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
