"""docs/hosts.md, systemd, word by word on two hosts; a worker is killed, a host lost, and a batch ends."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.engine import Missing, find_engine, run
from tests.systemd import machines
from tests.systemd.machines import Machine
from tests.systemd.page import steps

REQUESTS = 600
MODELS = """
[[models]]
name = "small"
litellm = "openai/sim-nano"
api_base = "http://services:8000/v1"
api_key_env = "OPENAI_API_KEY"
input_price = 0.1
output_price = 0.4
"""
SIMULATOR = """
systemd-run --unit simulator --quiet /opt/waybill/.venv/bin/python -m workers.simulator --host 0.0.0.0 \
    --port 8000 --latency-scale 10
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    try:
        engine = find_engine()
    except Missing as missing:
        pytest.skip(str(missing))
    wheel = machines.build_wheel(tmp_path_factory.mktemp("dist"))
    machines.build_image(engine)
    machines.make_network(engine)
    started = []
    try:
        for name in ("first", "second"):
            started.append(machines.start(engine, name, wheel))
        yield started[0], started[1]
    finally:
        for machine in started:
            machine.remove()
        run(engine.cli, "network", "rm", machines.NETWORK, allowed=(0, 1))


def test_the_page_is_followed_on_two_hosts(hosts: tuple[Machine, Machine], tmp_path: Path) -> None:
    first, second = hosts
    set_up_first(first)
    set_up_second(first, second, tmp_path)
    batch = submitted(first)
    until(first, batch, 100)
    assert " ready" in journal_of(second)
    second.sh("systemctl kill --signal KILL waybill-worker@dispatch")
    until(first, batch, 250)
    assert_private(journal_of(second))
    second.remove()
    row = until(first, batch, REQUESTS)
    assert (row["status"], row["succeeded"]) == ("completed", REQUESTS)
    assert_private(journal_of(first))


def journal_of(host: Machine) -> str:
    return host.sh("journalctl --no-pager --unit 'waybill-*'")


def assert_private(journal: str) -> None:
    assert "Please count" not in journal
    assert "sk-sim" not in journal


def set_up_first(first: Machine) -> None:
    """Steps 1 to 5 on the host of the services."""
    page = steps()
    first.sh(noninteractive(page[1]))
    first.sh("cat > /etc/waybill/waybill.toml", text=MODELS)
    key = "echo OPENAI_API_KEY=sk-sim >> /etc/waybill/dispatch.env"
    first.sh(page[2])
    first.sh(re.sub(r"^editor .*$", key, page[3], flags=re.MULTILINE))
    first.sh(noninteractive(page[4]))
    first.sh(page[5])
    first.sh(SIMULATOR)
    first.sh("waybill doctor")


def set_up_second(first: Machine, second: Machine, folder: Path) -> None:
    """Step 1 without the services, the files of the first host, and step 4."""
    page = steps()
    programs = noninteractive(page[1]).replace("redis-server postgresql", "")
    second.sh("\n".join(line for line in programs.splitlines() if "redis-server" not in line))
    files = "waybill.toml tls/ca.pem embed.env route.env dispatch.env judge.env upkeep.env cli.env"
    archive = first.sh(f"tar --create --directory /etc/waybill {files} | base64")
    second.sh("umask 022; base64 --decode | tar --extract --directory /etc/waybill", text=archive)
    second.sh(f"echo '{first.address()} services' >> /etc/hosts; systemctl daemon-reload")
    second.sh(
        noninteractive(page[4]).replace("waybill-server@api waybill-server@flower", "waybill-worker@route")
    )


def noninteractive(script: str) -> str:
    """Without the questions of apt, and the command that follows the journal for ever."""
    return re.sub(
        r"^journalctl --follow.*$", "", script.replace("apt install", "apt-get install --yes"), flags=re.M
    )


def submitted(first: Machine) -> str:
    lines = (
        json.dumps({"prompt": f"Please count from {n} to {n + 5}.", "max_tokens": 50})
        for n in range(REQUESTS)
    )
    return first.sh("waybill submit -", text="\n".join(lines)).strip().splitlines()[-1]


def until(first: Machine, batch: str, ended: int) -> dict[str, object]:
    """Return the batch once so many requests have ended; of the last one, once it has."""
    deadline = time.monotonic() + 600
    while True:
        row: dict[str, object] = json.loads(first.sh(f"waybill status {batch} --json"))
        done = int(str(row["succeeded"])) + int(str(row["failed"]))
        if done >= ended and (ended < REQUESTS or row["status"] != "in_progress"):
            return row
        assert row["status"] == "in_progress", row
        assert time.monotonic() < deadline, row
        time.sleep(1)
