"""Two hosts of workers and one of services: links between them are cut in mid-batch, and a host is lost."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.compose.compose_stack import ComposeStack, free_ports
from tests.compose.engine import run
from tests.compose.hosts import cut, flap
from tests.compose.images import TAG
from tests.compose.leftovers import PREFIX
from tests.compose.preparation import Prepared, bridge_address
from tests.compose.records import check_records
from tests.support.invariants import check_batch
from tests.support.paths import REPOSITORY
from workers.simulator import SimulatorClient

FILE = "compose.multi-host.yml"
PROMPTS, LATENCY_MS, CUT_S = 1_200, 3_000, 30.0

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get("WAYBILL_TEST_HOSTS"), reason="make test-hosts"),
]


@dataclass(frozen=True)
class Hosts:
    """The host of the services, two of workers, and the simulator's address."""

    services: ComposeStack
    a: ComposeStack
    b: ComposeStack
    simulator: SimulatorClient

    def port(self, name: str) -> int:
        return int(self.services.environment[name])


@pytest.fixture(scope="module")
def hosts(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    folder.chmod(0o755)
    run("sh", str(REPOSITORY / "deploy" / "new-certificates.sh"), str(folder / "certificates"))
    projects = {"services": "services", "host-a": "workers", "host-b": "workers"}
    services, a, b = (
        ComposeStack(f"{PREFIX}-{name}-{os.getpid()}", folder, prepared, file=FILE, profiles=(profile,))
        for name, profile in projects.items()
    )
    bridge = bridge_address(prepared.engine)
    services.environment |= {
        "SERVICES_ADDRESS": bridge,
        **free_ports("REDIS_PORT", "POSTGRES_PORT", "SIMULATOR_PORT"),
    }
    a.environment = b.environment = services.environment
    provider = f"{bridge}:{services.environment['SIMULATOR_PORT']}"
    services.settings.write_text(services.settings.read_text().replace("simulator:8000", provider))
    try:
        with simulator(services, provider):
            services.up("redis", "postgres", "upkeep")
            services.await_health(("redis", "postgres", "upkeep"))
            yield Hosts(services, a, b, SimulatorClient(f"http://{provider}/v1"))
    finally:
        for stack in (a, b, services):
            stack.down()


@contextmanager
def simulator(services: ComposeStack, address: str) -> Iterator[None]:
    """The provider, in a container that no fault touches."""
    words = ("python", "-m", "workers.simulator")
    container = services.engine(
        "run", "--detach", "--label", f"com.docker.compose.project={services.project}",
        "--publish", f"{address}:8000", "--entrypoint", words[0], f"waybill-dispatch:{TAG}", *words[1:],
        "--host", "0.0.0.0", "--port", "8000",
    )  # fmt: skip
    try:
        yield
    finally:
        services.engine("rm", "--force", container)


def lose_host(hosts: Hosts) -> None:
    for container in hosts.a.containers("dispatch"):
        hosts.a.engine("rm", "--force", container)


def cut_off(hosts: Hosts, *chains: str, port: int | None = None) -> None:
    with cut(hosts.a, "dispatch", *chains, port=port):
        time.sleep(CUT_S)


FAULTS: dict[str, Callable[[Hosts], None]] = {
    "no link": lambda hosts: cut_off(hosts, "OUTPUT", "INPUT"),
    "it hears and cannot speak": lambda hosts: cut_off(hosts, "OUTPUT"),
    "it speaks and cannot hear": lambda hosts: cut_off(hosts, "INPUT"),
    "no link to Redis": lambda hosts: cut_off(hosts, "OUTPUT", "INPUT", port=hosts.port("REDIS_PORT")),
    "no link to PostgreSQL": lambda hosts: cut_off(
        hosts, "OUTPUT", "INPUT", port=hosts.port("POSTGRES_PORT")
    ),
    "a flapping link": lambda hosts: flap(hosts.a, "dispatch", times=10, seconds=1.5),
    "a lost host": lose_host,
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_batch_survives_what_happens_to_a_host_of_workers(hosts: Hosts, name: str) -> None:
    for stack in (hosts.a, hosts.b):
        stack.up("dispatch")
        stack.await_health(("dispatch",))
    hosts.simulator.reset()
    hosts.simulator.behave("sim-nano", latency_ms=LATENCY_MS)
    batch_id = submit(hosts, name)
    hosts.services.wait(batch_id, until=lambda row: row["succeeded"] > 0)
    FAULTS[name](hosts)
    ended = time.monotonic()
    hosts.services.wait(batch_id)
    with hosts.services.store() as store:
        assert check_batch(store, batch_id).outcomes == {"succeeded": PROMPTS}
    tally = check_records(hosts.services, batch_id, hosts.simulator)
    print(f"| {name} | {tally.requests} | {tally.paid_again} | {time.monotonic() - ended:.1f} |")


def submit(hosts: Hosts, name: str) -> str:
    file = hosts.services.folder / "batch.jsonl"
    bodies = (
        {"model": "sim-nano", "messages": [{"role": "user", "content": f"{name}: {n} plus {n}?"}]}
        for n in range(PROMPTS)
    )
    lines = (
        {"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n, body in enumerate(bodies)
    )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ("submit", f"/data/{file.name}", "--budget", "5")
    printed = hosts.services.command(*arguments, files=(file,), service="upkeep")
    (batch_id,) = re.findall(r"^batch_\w+$", printed, re.MULTILINE)
    return str(batch_id)
