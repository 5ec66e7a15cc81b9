"""URLs that name several hosts, and what becomes of a store's URL."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from tasks.connections import host_lists
from tasks.connections.store_url import shown_store, with_hosts_apart
from tasks.errors import SettingsError
from tasks.store.engine import Store


def test_hosts_are_names_or_addresses_with_or_without_a_port() -> None:
    parts = host_lists.split("postgresql://u:p%40s@a:1,[::1],b.example:3/db?sslmode=require")
    assert parts.hosts == (("a", 1), ("::1", None), ("b.example", 3))
    assert (parts.scheme, parts.user, parts.path, parts.query) == (
        "postgresql", "u:p%40s@", "/db", "sslmode=require",
    )  # fmt: skip


@pytest.mark.parametrize("url", ["no url", "redis://a,/0", "redis://a:port,b/0", "redis://"])
def test_what_names_no_host_or_no_port_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        host_lists.split(url)


@pytest.mark.parametrize(
    "url", ["sqlite:////data/a,b.db", "postgresql://u:a,b@h/db", "postgresql:///db?host=a,b"]
)
def test_a_store_url_of_one_host_stays_as_it_is(url: str) -> None:
    assert with_hosts_apart(url) == url


def test_of_several_hosts_of_a_store_the_one_that_takes_writes_is_used() -> None:
    url = make_url(with_hosts_apart("postgresql+psycopg://u:p%40s@a:1,[::1]/db?sslmode=require"))
    _, options = url.get_dialect()().create_connect_args(url)
    assert options == {
        "user": "u", "password": "p@s", "dbname": "db", "host": "a,::1", "port": "1,", "sslmode": "require",
        "target_session_attrs": "read-write",
    }  # fmt: skip
    reading = with_hosts_apart("postgresql://a,b/db?target_session_attrs=any")
    assert make_url(reading).query["target_session_attrs"] == "any"


def test_a_store_url_with_a_wrong_port_is_refused_without_its_password() -> None:
    with pytest.raises(SettingsError) as refused:
        Store("postgresql://u:s3cret@a:port,b/db")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/db?password=secret", "postgresql://me:***@host/db"),
        ("postgresql://me:secret@a:1,b/db?password=secret", "postgresql://me:***@/db?host=a%2Cb&port=1%2C"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_a_url_of_the_store_is_shown_without_passwords(url: str, shown: str) -> None:
    assert shown_store(url) == shown
