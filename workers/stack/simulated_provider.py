"""The provider simulator as a program of the local stack."""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from tasks.endpoints.registry import ENDPOINTS
from workers.errors import StackStartError
from workers.simulator.loading import default_config
from workers.stack.child_process import Program
from workers.stack.ports import free_port

_START_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True)
class SimulatedProvider:
    """A simulator: the program that starts it, and its port, which a restart keeps."""

    port: int
    program: Program

    @classmethod
    def configure(cls, flaky: float = 0.0) -> SimulatedProvider:
        """Configure a simulator on a free port; a share `flaky` of its calls fails, retries can succeed."""
        port = free_port()
        command = (sys.executable, "-m", "workers.simulator", "--port", str(port), "--flaky", str(flaky))
        return cls(port, Program(name="simulator", command=command, rank=0))

    @property
    def base_url(self) -> str:
        """The URL for LiteLLM's `api_base`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def models(self) -> list[dict[str, Any]]:
        """Return the simulator's models as entries of `[[models]]` in the settings; they need no key."""
        return [
            {
                "name": model.name,
                "litellm": f"openai/{model.name}",
                "api_base": self.base_url,
                "endpoints": list(ENDPOINTS),
                "input_price": model.input_price,
                "output_price": model.output_price,
                "timeout_s": 30.0,
            }
            for model in default_config().models
        ]

    def judges(self) -> list[str]:
        """Return the default judges, for settings that name none: three, so that two can outvote one."""
        return [model.name for model in default_config().models][:3]

    def await_ready(self) -> None:
        """Wait until the simulator accepts connections.

        Raises:
            StackStartError: It does not in time.
        """
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise StackStartError(f"the simulator does not answer: {error.strerror}") from None
            time.sleep(_POLL_S)
