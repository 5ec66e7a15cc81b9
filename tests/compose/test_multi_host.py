"""compose.multi-host.yml: services and workers as two projects, which reach each other over TLS only."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from tests.compose.compose_stack import ComposeStack, free_ports
from tests.compose.engine import run
from tests.compose.leftovers import PREFIX
from tests.compose.preparation import Prepared, bridge_address
from tests.support.paths import REPOSITORY

FILE = "compose.multi-host.yml"
SERVICES, WORKERS = ("redis", "postgres", "upkeep", "api", "flower"), ("embed", "route", "judge", "dispatch")
#: what .env holds for the services alone
NOT_OF_WORKERS = ("REDIS_UPKEEP_PASSWORD", "REDIS_FLOWER_PASSWORD", "REDIS_SCALER_PASSWORD", "FLOWER_AUTH")
PROMPTS = 200

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def hosts(
    prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ComposeStack, ComposeStack]]:
    """The host of the services and one of workers; both have the address of Docker's bridge."""
    if os.geteuid() != 0:
        pytest.skip("only root may give the certificates' keys to the users of the images")
    folder = tmp_path_factory.mktemp("multi-host")
    folder.chmod(0o755)
    run("sh", str(REPOSITORY / "deploy" / "new-certificates.sh"), str(folder / "certificates"))
    services, workers = (
        ComposeStack(f"{PREFIX}-{name}-{os.getpid()}", folder, prepared, file=FILE, profiles=(name,))
        for name in ("services", "workers")
    )
    address = bridge_address(prepared.engine)
    services.environment |= {"SERVICES_ADDRESS": address, **free_ports("REDIS_PORT", "POSTGRES_PORT")}
    workers.environment = services.environment | dict.fromkeys(NOT_OF_WORKERS, "unused")
    try:
        services.up()
        services.await_health(SERVICES)
        workers.up()
        workers.await_health(WORKERS)
        yield services, workers
    finally:
        workers.down()
        services.down()


Hosts = tuple[ComposeStack, ComposeStack]


def test_workers_on_another_host_route_a_batch(hosts: Hosts) -> None:
    services, workers = hosts
    file = services.folder / "prompts.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"What is {n} plus {n}?"}) + "\n" for n in range(PROMPTS)))
    printed = workers.command("submit", "/data/prompts.jsonl", "--route-only", files=(file,))
    (batch_id,) = re.findall(r"^batch_\w+$", printed, re.MULTILINE)
    assert services.wait(batch_id)["routed"] == PROMPTS


def test_every_connection_to_postgresql_is_encrypted(hosts: Hosts) -> None:
    services, _ = hosts
    query = """SELECT ssl, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE client_addr IS NOT NULL GROUP BY ssl"""
    with services.store() as store, store.read() as connection:
        found = dict(connection.execute(text(query)).all())
    assert found.keys() == {True}
    assert found[True] > len(WORKERS)


def test_postgresql_refuses_a_connection_without_tls(hosts: Hosts) -> None:
    services, _ = hosts
    address, password = services.address("postgres"), services.environment["POSTGRES_PASSWORD"]
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"postgresql://waybill:{password}@{address}/waybill?sslmode=disable")


def test_redis_listens_for_tls_only(hosts: Hosts) -> None:
    services, _ = hosts
    printed = services.shell("redis", "sh", "-c", "redis-cli ping 2>&1 || true")
    assert "PONG" not in printed, printed
    secured = services.shell("redis", "sh", "-c", "redis-cli --tls --cacert /tls/ca.pem ping 2>&1 || true")
    assert "NOAUTH" in secured, secured


def test_a_certificate_of_another_ca_is_not_trusted(hosts: Hosts, tmp_path: Path) -> None:
    services, _ = hosts
    run("sh", str(REPOSITORY / "deploy" / "new-certificates.sh"), str(tmp_path))
    password = services.environment["POSTGRES_PASSWORD"]
    other = f"sslmode=verify-ca&sslrootcert={tmp_path / 'ca.pem'}"
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(f"postgresql://waybill:{password}@{services.address('postgres')}/waybill?{other}")
