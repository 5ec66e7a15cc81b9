"""The supervisor of child processes."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.processes import start_time
from tests.support.waiting import wait_until
from workers.stack.child_process import ChildProcess, Program
from workers.stack.supervisor import Supervisor

SLEEP = "import time; time.sleep(60)"
IGNORES_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); " + SLEEP
)


def python(name: str, code: str, **options: object) -> Program:
    return Program(name=name, command=(sys.executable, "-c", code), **options)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, messages: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(logs=tmp_path / "logs", pids=tmp_path / "run", notify=messages.append)
    yield supervisor
    supervisor.stop()


def test_a_child_that_is_killed_is_restarted_and_reported(
    supervisor: Supervisor, messages: list[str]
) -> None:
    supervisor.start([python("one", SLEEP)])
    first = supervisor.pids["one"]
    os.kill(first, signal.SIGKILL)

    def restarted() -> bool:
        supervisor.poll()
        return supervisor.pids["one"] != first and is_running(supervisor.pids["one"])

    wait_until(restarted, timeout_s=200)
    assert len(messages) == 1
    assert "one ended with signal 9" in messages[0]
    assert "one.log" in messages[0]


def test_the_pause_before_a_restart_doubles_up_to_a_cap(tmp_path: Path) -> None:
    child = ChildProcess(python("one", "pass"), logs=tmp_path, pids=tmp_path)
    child.start()
    pauses = [child.pause_before_restart() for _ in range(8)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    child.wait_or_kill(time.monotonic() + 200)


def test_a_pid_file_is_replaced_as_a_whole_so_that_nobody_reads_an_empty_one(tmp_path: Path) -> None:
    child = ChildProcess(python("one", "pass"), logs=tmp_path, pids=tmp_path)
    child.start()
    child.wait_or_kill(time.monotonic() + 200)
    file = tmp_path / "one.pid"
    file.write_text("an earlier one")
    with file.open() as earlier:
        child.start()
        assert earlier.read() == "an earlier one"
    assert file.read_text().split()[0] == str(child.pid)
    child.wait_or_kill(time.monotonic() + 200)


def test_stopping_ends_every_child_and_removes_its_pid_file(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([python("one", SLEEP), python("two", SLEEP, rank=0)])
    pids = list(supervisor.pids.values())
    supervisor.stop()
    assert [pid for pid in pids if is_running(pid)] == []
    assert list((tmp_path / "run").glob("*.pid")) == []


def test_lower_ranks_stop_last(supervisor: Supervisor, tmp_path: Path) -> None:
    note = textwrap.dedent("""
        import signal, sys, time
        def end(*_):
            open({file!r}, "a").write({name!r} + "\\n")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("up", flush=True)
        time.sleep(60)
    """)
    order = tmp_path / "order"
    for name, rank in (("service", 0), ("worker", 1)):
        supervisor.start([python(name, note.format(file=str(order), name=name), rank=rank)])
        wait_until(lambda name=name: (tmp_path / "logs" / f"{name}.log").read_text(), timeout_s=200)
    supervisor.stop()
    assert order.read_text().split() == ["worker", "service"]


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(
    supervisor: Supervisor, messages: list[str], tmp_path: Path
) -> None:
    supervisor.start([python("deaf", IGNORES_SIGTERM, stop_s=0.3)])
    wait_until(lambda: (tmp_path / "logs" / "deaf.log").read_text(), timeout_s=200)
    pid = supervisor.pids["deaf"]
    supervisor.stop()
    assert not is_running(pid)
    assert messages == ["deaf did not end in 0.3 s and was killed"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends children with their parent")
def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from workers.stack.child_process import Program
        from workers.stack.supervisor import Supervisor
        supervisor = Supervisor(logs=Path({str(tmp_path)!r}), pids=Path({str(tmp_path)!r}), notify=print)
        supervisor.start([Program(name="one", command=(sys.executable, "-c", {SLEEP!r}))])
        print(supervisor.pids["one"], flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    assert is_running(child)
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(child), timeout_s=200)


def test_what_an_earlier_supervisor_left_behind_is_ended_at_the_next_start(tmp_path: Path) -> None:
    leftover = subprocess.Popen([sys.executable, "-c", SLEEP], process_group=0)
    (tmp_path / "one.pid").write_text(f"{leftover.pid} {start_time(leftover.pid)}\n")
    messages: list[str] = []
    Supervisor(logs=tmp_path, pids=tmp_path, notify=messages.append)
    assert leftover.wait(200) == -signal.SIGKILL
    assert messages == [f"ended one (process {leftover.pid}), left behind by an earlier run"]


def test_a_process_that_only_has_the_same_number_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "one.pid").write_text(f"{os.getpid()} 1\n")
    messages: list[str] = []
    Supervisor(logs=tmp_path, pids=tmp_path, notify=messages.append)
    assert messages == []
    assert not (tmp_path / "one.pid").exists()
