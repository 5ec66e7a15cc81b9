"""Every process of docker-compose.yml works with the packages that its image has, and no others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.support import api
from tests.support.installed import modules_of
from tests.support.paths import REPOSITORY
from tests.support.stack import Stack, WorkerProcess
from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess

SERVICES = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
#: what an image leaves out of its extras' packages
UNINSTALLED = re.findall(
    r"^    ([\w| -]+)\) pip uninstall --yes (.+) ;;", (REPOSITORY / "deploy" / "install.sh").read_text(), re.M
)


def packages_of(service: str) -> dict[str, str]:
    """The environment of a process that finds the packages of a service's image alone."""
    extras = SERVICES[service]["build"]["args"]["ROLE_EXTRAS"]
    without = [one for roles, gone in UNINSTALLED if extras in roles.split(" | ") for one in gone.split()]
    folder = REPOSITORY / "tests" / "support" / "only_packages"
    return {
        "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', REPOSITORY)}",
        "WAYBILL_TEST_MODULES": ",".join(modules_of(list(filter(None, extras.split(","))), without)),
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorProcess) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("packages"), simulator=simulator) as stack:
        yield stack


def test_an_image_that_leaves_out_a_package_does_not_find_it() -> None:
    assert "numpy" in modules_of(["dispatch"])
    assert "numpy" not in packages_of("dispatch")["WAYBILL_TEST_MODULES"].split(",")
    assert "aiohttp" not in packages_of("api")["WAYBILL_TEST_MODULES"].split(",")


def test_a_batch_of_the_api_is_answered(stack: Stack) -> None:
    server = api.start_api(stack, environment=packages_of("api"))
    roles = ("embed", "route", "judge", "dispatch")
    workers = [stack.start(role, environment=packages_of(role)) for role in roles]
    stack.start("upkeep", environment=packages_of("upkeep"))
    stack.await_ready(*workers)
    with api.client(server, api.new_key(stack, "test")) as client:
        batch = api.await_end(client, api.create_batch(client, [api.chat_line(1)]).id)
        assert len(api.lines_of(client, batch.output_file_id)) == 1, stack.log_ends()


@pytest.mark.parametrize("service", ["metrics", "flower"])
def test_what_is_watched_is_served(stack: Stack, service: str) -> None:
    secrets = {"WAYBILL_METRICS_TOKEN": "token", "WAYBILL_FLOWER_AUTH": "user:password"}
    process = stack.run(service, "--port", "0", environment={**packages_of(service), **secrets})
    wait_until(lambda: process.process.poll() is not None or _served(process), timeout_s=240)
    assert process.process.poll() is None, process.log.read_text()


def _served(process: WorkerProcess) -> bool:
    return "http://" in process.log.read_text()
