"""The simulator as a process: it starts, announces its port, and stops when it is told to."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess, default_config
from workers.simulator.errors import SimulatorStartError

COMMAND = [sys.executable, "-m", "workers.simulator"]


def await_file(path: Path) -> str:
    wait_until(path.exists, timeout_s=200)
    return path.read_text()


def await_end(pid: int) -> None:
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), timeout_s=200)


def test_it_writes_its_port_writes_one_line_and_stops_on_sigterm(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--port-file", str(tmp_path / "port")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        port = int(await_file(tmp_path / "port"))
        process.terminate()
        _, stderr = process.communicate(timeout=200)
    assert stderr == f"simulator: serving http://127.0.0.1:{port}/v1\n"
    assert process.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["port"]


def test_a_wrong_configuration_ends_it_with_the_reason(tmp_path: Path) -> None:
    config = tmp_path / "sim.toml"
    config.write_text("colour = 3")
    done = subprocess.run(
        [*COMMAND, "--config", str(config)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 2
    assert f"{config}: unknown key 'colour'" in done.stderr


def test_a_port_that_is_taken_is_a_start_error_with_the_childs_message() -> None:
    with SimulatorProcess() as first:
        port = int(first.base_url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(SimulatorStartError, match="address already in use"):
            SimulatorProcess(port=port).start()


def test_it_ends_when_the_process_that_started_it_is_killed() -> None:
    code = (
        "from workers.simulator import SimulatorProcess; import time;"
        "print(SimulatorProcess().start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    await_end(child)


def test_it_stops_with_a_call_in_flight_without_being_killed_and_twice_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.simulator.process._STOP_S", 200.0)
    monkeypatch.setattr(subprocess.Popen, "kill", lambda _: pytest.fail("it did not stop"))
    process = SimulatorProcess(replace(default_config(), latency_scale=0)).start()
    pid = process.pid
    assert pid is not None
    with hanging_call(process):
        wait_until(lambda: process.client.stats()["received"], timeout_s=200)
        process.stop()
    process.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def hanging_call(process: SimulatorProcess) -> socket.socket:
    """The open connection of a call that is never answered."""
    host, port = process.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    body = b'{"model": "sim-nano", "messages": [{"role": "user", "content": "[[sim:hang]]"}]}'
    connection = socket.create_connection((host, int(port)))
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\n")
    connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    return connection
