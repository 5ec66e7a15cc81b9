"""The stack of docker-compose.yml with the simulator, as a project of its own that nothing else shares."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import yaml

from tasks.store import batches
from tasks.store.engine import Store
from tests.compose.engine import run
from tests.compose.images import TAG
from tests.compose.preparation import Prepared
from tests.support.paths import REPOSITORY
from workers.simulator import SimulatorClient

WORKERS = ("embed", "route", "judge", "dispatch", "upkeep")
MONITORING = ("metrics", "prometheus", "grafana")
SERVICES = ("redis", "postgres", "simulator", *WORKERS, "flower", "api", *MONITORING)
PROVIDER_KEY = "sk-only-for-dispatch"
#: short, so that the test need not wait for what a killed worker held
_SETTINGS = "\n[upkeep]\nlease_s = 12\nsweep_s = 1\nrepublish_s = 5\n"
_PORTS = ("API_PORT", "FLOWER_PORT", "GRAFANA_PORT")
#: every start waits for it; as long until a container counts as unwell as there
_OFTEN = {"interval": "2s", "retries": 30}
_POLL_S = 0.5


class ComposeStack:
    """A project of Compose: its containers, its store and its simulator.

    `file` is the file of the repository that describes it, `profiles` those which are started.
    """

    def __init__(
        self,
        project: str,
        folder: Path,
        prepared: Prepared,
        *,
        tag: str = TAG,
        file: str = "docker-compose.yml",
        profiles: Sequence[str] = ("simulate",),
    ) -> None:
        self.project, self.folder, self.engine = project, folder, prepared.engine
        self._file = REPOSITORY / file
        self._profiles = [word for profile in profiles for word in ("--profile", profile)]
        self.environment = {**_passwords(), "WAYBILL_TAG": tag, **free_ports(*_PORTS)}
        self.settings = folder / "waybill.toml"
        self.environment["WAYBILL_SETTINGS"] = str(self.settings)
        self.settings.write_text((REPOSITORY / "deploy" / "simulate.toml").read_text() + _SETTINGS)
        (folder / "providers.env").write_text(f"OPENAI_API_KEY={PROVIDER_KEY}\n")
        if not (folder / "deploy").exists():
            (folder / "deploy").symlink_to(REPOSITORY / "deploy")
        self._overlay = folder / f"{project}.overlay.json"
        self._overlay.write_text(json.dumps(_overlay(prepared, self._file, self.settings)))

    def compose(
        self, *arguments: str, timeout_s: float = 300, allowed: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of Compose for this project."""
        files = ("--file", str(self._file), "--file", str(self._overlay))
        return run(
            *self.engine.compose, "--project-name", self.project, "--project-directory", str(self.folder),
            *files, *self._profiles, *arguments,
            timeout_s=timeout_s, environment=self.environment, allowed=allowed,
        )  # fmt: skip

    def up(self, *services: str, **scale: int) -> None:
        """Create and start services, all of the profile if none is named."""
        scales = [word for name, number in scale.items() for word in ("--scale", f"{name}={number}")]
        self.compose("up", "--detach", *scales, *services)

    def down(self) -> None:
        """Remove containers, networks and volumes."""
        # Version 2 leaves the volumes of services whose profile is not named.
        self.compose("--profile", "cli", "down", "--volumes", "--remove-orphans", "--timeout", "20")

    def command(
        self,
        *arguments: str,
        files: tuple[Path, ...] = (),
        service: str = "cli",
        allowed: tuple[int, ...] = (0,),
    ) -> str:
        """Run `waybill ARGUMENTS` in a container of its own, with files under /data; returns its output."""
        volumes = [word for file in files for word in ("--volume", f"{file}:/data/{file.name}:ro")]
        words = ("run", "--rm", "-T", *volumes, service, *arguments)
        ended = self.compose(*words, timeout_s=400, allowed=allowed)
        return ended.stdout.strip() if 0 in allowed else ended.stdout + ended.stderr

    # Containers

    def containers(self, service: str) -> list[str]:
        """The ids of a service's running containers."""
        labels = (f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return self.engine("ps", "--quiet", "--no-trunc", *filters).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        (described,) = json.loads(self.engine("inspect", container))
        return dict(described)

    def shell(self, service: str, *command: str) -> str:
        """Run a command in a service's container; returns what it printed."""
        return self.engine("exec", self.containers(service)[0], *command)

    def kill(self, container: str) -> None:
        """Kill a container as a crash would."""
        self.engine("kill", "--signal", "KILL", container)

    def address(self, service: str) -> str:
        """The address of a service's first container, which its host can reach."""
        networks = self.inspect(self.containers(service)[0])["NetworkSettings"]["Networks"]
        return str(next(network["IPAddress"] for network in networks.values() if network["IPAddress"]))

    def logs(self, *services: str) -> str:
        """What services have logged."""
        return self.compose("logs", "--no-color", *services).stdout

    def health(self, services: Sequence[str] = SERVICES) -> dict[str, set[str]]:
        """The states of services' containers."""
        return {service: {self._state(one) for one in self.containers(service)} for service in services}

    def _state(self, container: str) -> str:
        state = self.inspect(container)["State"]
        return str(state.get("Health", state)["Status"])

    def await_health(self, services: Sequence[str] = SERVICES, timeout_s: float = 180) -> None:
        """Wait until every container of each service is healthy."""
        wanted = {service: {"healthy"} for service in services}
        deadline = time.monotonic() + timeout_s
        while (found := self.health(services)) != wanted:
            unwell = {name: states for name, states in found.items() if states != {"healthy"}}
            assert time.monotonic() < deadline, f"{unwell}\n{self.logs(*unwell)[-6000:]}"
            time.sleep(_POLL_S)

    # Batches

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the stack's store."""
        password = self.environment["POSTGRES_PASSWORD"]
        store = Store(f"postgresql://waybill:{password}@{self.address('postgres')}:5432/waybill")
        with closing(store):
            yield store

    def simulator(self) -> SimulatorClient:
        """The controls of the stack's simulator."""
        return SimulatorClient(f"http://{self.address('simulator')}:8000/v1")

    def row(self, batch_id: str) -> dict[str, Any]:
        """A batch's row."""
        with self.store() as store, store.read() as connection:
            return dict(batches.find(connection, batch_id))

    def wait(
        self, batch_id: str, until: Callable[[dict[str, Any]], bool] | None = None, timeout_s: float = 240
    ) -> dict[str, Any]:
        """Wait until a batch ends, or `until` holds of its row."""
        until = until or (lambda row: row["status"] in batches.FINISHED)
        deadline = time.monotonic() + timeout_s
        while not until(row := self.row(batch_id)):
            assert time.monotonic() < deadline, f"{row}\n{self.logs(*WORKERS)[-6000:]}"
            time.sleep(_POLL_S)
        return row

    def await_calls(self, number: int, timeout_s: float = 120) -> None:
        """Wait until the simulator has received a number of calls; this looks at no table of the store."""
        deadline = time.monotonic() + timeout_s
        while (received := self.simulator().stats()["received"]) < number:
            assert time.monotonic() < deadline, f"{received} calls\n{self.logs(*WORKERS)[-6000:]}"
            time.sleep(_POLL_S)


def _overlay(prepared: Prepared, file: Path, settings: Path) -> dict[str, Any]:
    """What differs from docker-compose.yml: base images, health that is looked at often, and settings.

    Those are mounted where Compose leaves `configs` out.
    """
    described = yaml.safe_load(file.read_text())["services"]
    services: dict[str, Any] = {name: {} for name in described}
    for name, image in prepared.bases.items():
        if name in services:
            services[name]["image"] = image
    for name, one in described.items():
        if "disable" not in one.get("healthcheck", {}):
            services[name]["healthcheck"] = _OFTEN
        if "configs" in one and not prepared.engine.reads_configs:
            services[name]["volumes"] = [f"{settings}:/etc/waybill/waybill.toml:ro"]
    return {"services": services}


def _passwords() -> Mapping[str, str]:
    made = run("sh", str(REPOSITORY / "deploy" / "new-env.sh")).stdout
    return dict(re.findall(r"^(\w+)=(.*)$", made, re.MULTILINE))


def free_ports(*names: str) -> dict[str, str]:
    """Return a free port of this machine for each name."""
    sockets = [socket() for _ in names]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = {name: str(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return ports
