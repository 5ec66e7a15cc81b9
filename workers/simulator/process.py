"""The simulator as a child process, for tests and benchmarks."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from workers.simulator.client import SimulatorClient
from workers.simulator.config import SimulatorConfig
from workers.simulator.errors import SimulatorStartError
from workers.simulator.loading import default_config, dump_config
from workers.simulator.protocols.registry import base_path

_START_S = 120.0
_STOP_S = 5.0
_POLL_S = 0.02


class SimulatorProcess:
    """A simulator in a child process; it is ready once `start` returns, and ends with its parent.

    >>> with SimulatorProcess(replace(default_config(), latency_scale=0)) as simulator:
    ...     simulator.base_url
    'http://127.0.0.1:40123/v1'
    """

    def __init__(self, config: SimulatorConfig | None = None, *, port: int = 0) -> None:
        self._config = config or default_config()
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """The URL for LiteLLM's `api_base`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def url_of(self, provider: str) -> str:
        """Return the `api_base` for this provider's own protocol (protocols/registry.py)."""
        return f"http://127.0.0.1:{self._port}{base_path(provider)}"

    @property
    def client(self) -> SimulatorClient:
        """A client of the simulator's controls."""
        return SimulatorClient(self.base_url)

    @property
    def pid(self) -> int | None:
        """The child's process id; None while it is not running."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start the process and wait until it listens; raises SimulatorStartError with its stderr."""
        with tempfile.TemporaryDirectory(prefix="waybill-simulator-") as name:
            directory = Path(name)
            (directory / "config.json").write_text(dump_config(self._config))
            with (directory / "stderr").open("wb") as log:
                self._process = subprocess.Popen(
                    self._command(directory), stderr=log, stdin=subprocess.DEVNULL
                )
            self._port = self._await_port(directory)
        return self

    def stop(self) -> None:
        """Send SIGTERM, then SIGKILL if the process ignores it; do nothing if it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _command(self, directory: Path) -> list[str]:
        files = ["--config", str(directory / "config.json"), "--port-file", str(directory / "port")]
        return [sys.executable, "-m", "workers.simulator", "--with-parent", "--port", str(self._port), *files]

    def _await_port(self, directory: Path) -> int:
        deadline = time.monotonic() + _START_S
        while not (directory / "port").exists():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                stderr = (directory / "stderr").read_text(errors="replace").strip()
                self.stop()
                raise SimulatorStartError(f"the simulator did not start: {stderr or 'it said nothing'}")
            time.sleep(_POLL_S)
        return int((directory / "port").read_text())
