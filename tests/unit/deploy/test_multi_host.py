"""compose.multi-host.yml keeps the rules of docker-compose.yml, and adds TLS."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.paths import REPOSITORY

HOSTS: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.multi-host.yml").read_text())["services"]
ONE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
MONITORING = ["metrics", "prometheus", "grafana"]
#: the users of Redis whose services have another name
REDIS_USERS = {"api": "metrics"}
OWN = [name for name in HOSTS if name not in ("redis", "postgres", "prometheus", "grafana")]


def test_it_has_the_services_of_one_host_without_the_simulator() -> None:
    assert set(HOSTS) == set(ONE) - {"simulator"}
    assert HOSTS["upkeep"]["profiles"] == ["services", "second-upkeep"]
    assert [name for name, one in HOSTS.items() if one["profiles"] == ["monitoring"]] == MONITORING
    assert {name for name, one in HOSTS.items() if one["profiles"] == ["workers"]} == {
        "embed",
        "route",
        "judge",
        "dispatch",
    }


@pytest.mark.parametrize("name", HOSTS)
def test_a_service_has_the_image_and_the_rights_that_it_has_on_one_host(name: str) -> None:
    keys = (
        "image",
        "command",
        "user",
        "read_only",
        "cap_drop",
        "security_opt",
        "restart",
        "tmpfs",
        "logging",
    )
    keys = tuple(key for key in keys if not (key == "command" and name in ("redis", "postgres")))
    assert {key: HOSTS[name].get(key) for key in keys} == {key: ONE[name].get(key) for key in keys}


@pytest.mark.parametrize("name", OWN)
def test_a_service_installs_mounts_and_knows_what_it_does_on_one_host(name: str) -> None:
    assert HOSTS[name]["build"]["args"] == ONE[name]["build"]["args"]
    assert set(HOSTS[name]["environment"]) == set(ONE[name]["environment"])
    assert HOSTS[name]["configs"] == ONE[name]["configs"], "the settings that $WAYBILL_SETTINGS names"
    assert set(ONE[name].get("volumes", ())) <= set(HOSTS[name]["volumes"])
    assert HOSTS[name].get("env_file") == ONE[name].get("env_file")
    assert HOSTS[name].get("healthcheck", {}).get("test") == ONE[name].get("healthcheck", {}).get("test")


@pytest.mark.parametrize("name", OWN)
def test_both_services_are_reached_over_tls_whose_certificate_is_checked(name: str) -> None:
    environment = HOSTS[name]["environment"]
    if "WAYBILL_REDIS__URL" in environment:
        assert environment["WAYBILL_REDIS__URL"].startswith(f"rediss://{REDIS_USERS.get(name, name)}:")
        assert environment["WAYBILL_REDIS__URL"].endswith(
            "?ssl_cert_reqs=required&ssl_ca_certs=/etc/waybill/ca.pem"
        )
    if "WAYBILL_STORE__URL" in environment:
        assert environment["WAYBILL_STORE__URL"].endswith(
            "?sslmode=verify-full&sslrootcert=/etc/waybill/ca.pem"
        )
    assert "./certificates/ca.pem:/etc/waybill/ca.pem:ro" in HOSTS[name]["volumes"]


def test_services_listen_for_tls_only() -> None:
    redis = HOSTS["redis"]["command"]
    assert redis[redis.index("--port") + 1] == "0"
    assert "ssl=on" in HOSTS["postgres"]["command"]
    rules = (REPOSITORY / "deploy" / "postgres" / "pg_hba.conf").read_text().splitlines()
    kinds = {line.split()[0] for line in rules if not line.startswith("#")}
    assert kinds == {"local", "hostssl"}


def test_only_redis_postgresql_and_what_is_on_loopback_is_published() -> None:
    for name, service in HOSTS.items():
        for port in service.get("ports", ()):
            assert port.startswith("${SERVICES_ADDRESS}:" if name in ("redis", "postgres") else "127.0.0.1:")
