"""The URL of Redis behind Sentinels, and what clients and Celery make of it."""

from __future__ import annotations

import pytest

from tasks.connections import broker, redis_clients
from tasks.connections.redis_url import SentinelUrl, shown_redis

TLS = "ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem"


def parsed(url: str) -> SentinelUrl:
    found = SentinelUrl.parse(url)
    assert found is not None
    return found


@pytest.mark.parametrize("url", ["redis://:pw@host:6379/0", "rediss://host", "unix:///run/redis.sock"])
def test_the_url_of_one_server_is_left_to_redis_py(url: str) -> None:
    assert SentinelUrl.parse(url) is None


def test_hosts_without_a_port_have_the_sentinels_own() -> None:
    found = parsed("redis+sentinel://a,b:1234,[::1]:5/waybill/2")
    assert found.sentinels == (("a", 26379), ("b", 1234), ("::1", 5))
    assert (found.master, redis_clients.server_options(found)["db"]) == ("waybill", 2)


def test_servers_and_sentinels_have_their_own_passwords() -> None:
    found = parsed("redis+sentinel://dispatch:p%40ss@a/m?sentinel_username=u&sentinel_password=s%2Fs")
    server, sentinel = redis_clients.server_options(found), redis_clients.sentinel_options(found)
    assert (server["username"], server["password"]) == ("dispatch", "p@ss")
    assert (sentinel["username"], sentinel["password"]) == ("u", "s/s")
    assert "p%40ss" not in repr(found)
    assert "s/s" not in repr(found)


def test_a_url_is_shown_without_users_passwords_and_options() -> None:
    found = parsed(f"rediss+sentinel://dispatch:pw@a,[::1]:5/m/2?sentinel_password=s&{TLS}")
    assert str(found) == "rediss+sentinel://a:26379,[::1]:5/m"


def test_tls_is_for_servers_and_sentinels() -> None:
    found = parsed(f"rediss+sentinel://dispatch:pw@a/m?{TLS}")
    for options in (redis_clients.server_options(found), redis_clients.sentinel_options(found)):
        assert options["ssl"] is True
        assert (options["ssl_cert_reqs"], options["ssl_ca_certs"]) == ("required", "/etc/ca.pem")


def test_a_timeout_of_the_url_is_that_of_the_servers_as_without_sentinels() -> None:
    for url in ("redis://a/0?socket_timeout=7", "redis+sentinel://a/m/0?socket_timeout=7"):
        for client in (
            redis_clients.connect(url, timeout_s=3),
            redis_clients.connect_async(url, timeout_s=3),
        ):
            options = client.connection_pool.connection_kwargs
            assert (options["socket_timeout"], options["socket_connect_timeout"]) == (7, 3)


def test_celery_is_given_every_sentinel_with_the_password_of_the_servers() -> None:
    settings = broker.settings_of(
        f"rediss+sentinel://dispatch:p%40ss@a,[::1]:5/m/2?sentinel_password=s&{TLS}"
    )
    assert settings["broker_url"].split(";") == [
        "sentinel://dispatch:p%40ss@a:26379/2",
        "sentinel://dispatch:p%40ss@[::1]:5/2",
    ]
    assert settings["broker_use_ssl"] == {"ssl_cert_reqs": "required", "ssl_ca_certs": "/etc/ca.pem"}
    options = settings["broker_transport_options"]
    assert (options["master_name"], options["sentinel_kwargs"]["password"]) == ("m", "s")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:7000/2", "redis://host:7000/2"),
        ("redis://[::1]", "redis://[::1]:6379"),
        ("redis://:123/secret@host", "redis://***"),
    ],
)
def test_a_url_of_redis_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_redis(url) == shown
