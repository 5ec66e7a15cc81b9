"""The local stack as a whole: Redis, simulator, workers, upkeep and Flower, supervised by this process."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.connections.store_url import shown_store
from tasks.errors import SettingsError
from tasks.private_home import secure
from tasks.settings import STACK_FILE, Settings
from tasks.settings.running_stack import find_running_stack, stack_file_text
from workers.api.server import DRAIN_S
from workers.errors import StackRunningError, StackStartError
from workers.stack.child_process import Program
from workers.stack.flower import USER, password_file
from workers.stack.options import StackOptions
from workers.stack.ports import port_or_free
from workers.stack.private_files import write_private
from workers.stack.readiness import await_ready, roles_not_ready
from workers.stack.redis_server import RedisServer
from workers.stack.simulated_provider import SimulatedProvider
from workers.stack.supervisor import Supervisor
from workers.worker.run import STOP_MARGIN_S, Role

if TYPE_CHECKING:
    from pydantic import BaseModel

#: The share of simulated calls that fail, as some do at real providers: every answer arrives nonetheless.
FLAKY_SHARE = 0.02
_POLL_S = 0.1


class Stack:
    """The local stack. While it runs, a file in `home` tells other commands its settings (`STACK_FILE`).

    Call everything from one thread that outlives the stack (see Supervisor).
    """

    def __init__(self, settings: Settings, options: StackOptions, *, notify: Callable[[str], None]) -> None:
        self.options, self._notify = options.installed(notify), notify
        self._configured = settings
        self._file = settings.home / STACK_FILE
        self._flower_port, self._api_port = settings.flower.port, settings.api.port
        self._supervisor: Supervisor | None = None
        #: The settings of the stack, once it runs: those of the caller, and its own Redis and models.
        self.settings = settings

    def start(self) -> None:
        """Start everything; when this returns, the store is ready and Redis answers.

        Raises:
            StackRunningError: A stack runs in this home already.
            StackStartError: Redis or the simulator did not start, or the port that `[api]` names is taken.
            SettingsError: There are no models.
        """
        refuse_second_stack(self._configured.home)
        self._check_models()
        if self.options.api:
            self._choose_api_port()
        secure(self._configured.home)
        run = self._file.parent
        self._supervisor = Supervisor(logs=self._configured.home / "logs", pids=run, notify=self._notify)
        try:
            self._start_services(self._supervisor)
            self._prepare_store()
            self._supervisor.start(self._workers())
        except BaseException:
            self.stop()
            raise

    def summary_lines(self) -> list[str]:
        """Return lines that tell the user what runs, and where."""
        settings = self.settings
        models = ", ".join(model.name for model in settings.models)
        lines = [
            f"models: {models}",
            f"store: {shown_store(settings.store_url)}",
            f"logs: {settings.home / 'logs'}",
        ]
        if self.options.flower:
            flower = settings.flower
            login = f", user {USER}, password in {password_file(settings.home)}"
            shown_login = "" if os.environ.get(flower.auth_env) else login
            lines.append(f"Flower: http://{_in_url(flower.address)}:{self._flower_port}{shown_login}")
        if self.options.api:
            lines.append(f"API: {self.page_url}v1 (`waybill keys create NAME`)")
            lines.append(
                f"page: {self.page_url} (log in with a key; `--operator` makes one that sees everything)"
            )
        return lines

    @property
    def page_url(self) -> str:
        """Where the page is, if the stack serves the API."""
        api = self.settings.api
        scheme = "https" if api.tls_certificate else "http"
        return f"{scheme}://{_in_url(api.address)}:{self._api_port}/"

    def await_ready(self, stop: threading.Event) -> bool:
        """Wait until a worker of each role takes work; returns False if `stop` is set before."""
        from tasks.store.engine import Store

        store = Store(self.settings.store_url)
        try:
            return await_ready(
                lambda: roles_not_ready(store, self._supervisor.pids if self._supervisor else {}),
                self.poll,
                stop,
                notify=self._notify,
            )
        finally:
            store.close()

    def run_until(self, stop: threading.Event) -> None:
        """Keep everything running until `stop` is set."""
        while not stop.is_set():
            # No wait on the event: a signal handler that sets it meanwhile would wait for itself.
            time.sleep(_POLL_S)
            self.poll()

    def poll(self) -> None:
        """Check every process once, and restart those that ended."""
        if self._supervisor is not None:
            self._supervisor.poll()

    def stop(self) -> None:
        """Stop everything, workers first, and remove the stack's file."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        self._file.unlink(missing_ok=True)

    def _start_services(self, supervisor: Supervisor) -> None:
        simulator = SimulatedProvider.configure(self.options.flaky) if self.options.simulate else None
        redis = RedisServer.configure(self._configured.home) if self._configured.redis.url is None else None
        supervisor.start(service.program for service in (simulator, redis) if service is not None)
        if redis is not None:
            redis.await_ready()
        if simulator is not None:
            simulator.await_ready()
        self._announce(redis, simulator)

    def _announce(self, redis: RedisServer | None, simulator: SimulatedProvider | None) -> None:
        """Write the stack's file with the settings that the stack sets."""
        own: dict[str, Any] = {}
        if redis is not None:
            own["redis"] = {"url": redis.url}
        if simulator is not None:
            own["models"] = simulator.models()
            own["judge"] = {"models": simulator.judges(), **_explicit(self._configured.judge)}
        if self.options.router is not None:
            path = str(self.options.router.absolute())
            own["router"] = {**_explicit(self._configured.router), "path": path}
        write_private(self._file, stack_file_text(own))
        self.settings = self._configured.model_validate({**self._configured.model_dump(), **own})

    def _prepare_store(self) -> None:
        from tasks.store.engine import Store
        from tasks.store.schema import ensure_schema

        store = Store(self.settings.store_url)
        try:
            ensure_schema(store)
        finally:
            store.close()

    def _workers(self) -> list[Program]:
        numbered = [(role, n) for role, count in self.options.workers.items() for n in range(1, count + 1)]
        programs = [self._worker(role, f"{role}-{n}") for role, n in numbered]
        programs.append(self._worker(Role.UPKEEP, Role.UPKEEP))
        if self.options.flower:
            self._flower_port = port_or_free(self._flower_port, self._configured.flower.address)
            programs.append(self._program("flower", "flower", "--port", str(self._flower_port)))
        if self.options.api:
            programs.append(self._program("api", "api", "--port", str(self._api_port), stop_s=DRAIN_S + 10))
        return programs

    def _check_models(self) -> None:
        configured = len(self._configured.models)
        if not self.options.simulate and not configured:
            raise SettingsError("no [[models]]: name some in waybill.toml, or use `waybill up --simulate`")
        if self.options.simulate and configured:
            self._notify(
                f"--simulate: the simulator's models, not the {configured} [[models]] of the settings"
            )

    def _choose_api_port(self) -> None:
        """Take the port of the settings; where they name none, another than the default one will do."""
        api = self._configured.api
        wanted = api.port
        self._api_port = port_or_free(wanted, api.address)
        if wanted in (0, self._api_port):
            return
        if "port" in api.model_fields_set:
            raise StackStartError(f"port {wanted} of [api] is taken: end what listens there, or name another")
        self._notify(f"port {wanted} is taken: the API is at {self.page_url}v1")

    def _worker(self, role: Role, name: str) -> Program:
        drain_s = self.settings.dispatch.drain_s if role is Role.DISPATCH else 0.0
        return self._program(name, "worker", role.value, stop_s=drain_s + 2 * STOP_MARGIN_S)

    def _program(self, name: str, *arguments: str, stop_s: float = 10.0) -> Program:
        home = {"WAYBILL_HOME": str(self.settings.home.absolute())}
        command = (sys.executable, "-m", "workers.cli", *arguments)
        return Program(name=name, command=command, environment=home, stop_s=stop_s)


def refuse_second_stack(home: Path) -> None:
    """Raise StackRunningError if a stack runs in this home; remove the file that a dead stack left."""
    running = find_running_stack(home)
    if running is not None:
        raise StackRunningError(f"a stack runs in {home} already (process {running.pid})")
    (home / STACK_FILE).unlink(missing_ok=True)


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _explicit(section: BaseModel) -> dict[str, Any]:
    """Return the values that the user set in a section of the settings."""
    return section.model_dump(mode="json", exclude_unset=True)
