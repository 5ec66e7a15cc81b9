"""What the containers may do: where they reach, what they know and which rights they have.

It brings up the stack that test_lifecycle.py goes on with.
"""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.compose.compose_stack import PROVIDER_KEY, SERVICES, WORKERS, ComposeStack

OUTSIDE = ("dispatch", "flower", "api", "grafana")
_IMPORTS = "from shutil import which; from importlib.util import find_spec"
_TOOLS, _MODULES = ("pip", "pip3", "gcc", "cc", "make"), ("pip", "setuptools")
#: bits of /proc/PID/status
NO_CAPABILITIES = "0000000000000000"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def _started(stack: ComposeStack) -> None:
    stack.up()
    stack.await_health()


def has_way_out(stack: ComposeStack, service: str) -> bool:
    """Whether the engine lets a container's packets leave its networks."""
    networks = stack.inspect(stack.containers(service)[0])["NetworkSettings"]["Networks"]
    flags = [stack.engine("network", "inspect", name, "--format", "{{.Internal}}") for name in networks]
    return "false" in flags


@pytest.mark.parametrize("service", SERVICES)
def test_only_services_that_speak_to_the_outside_have_a_way_out(stack: ComposeStack, service: str) -> None:
    # no packet is sent: what an engine does with it, it tells of its networks
    assert has_way_out(stack, service) == (service in OUTSIDE)


@pytest.mark.parametrize("service", SERVICES)
def test_every_process_is_without_root_and_without_capabilities(stack: ComposeStack, service: str) -> None:
    lines = stack.shell(service, "cat", "/proc/1/status").splitlines()
    status = {name: value.split() for name, value in (line.split(":", 1) for line in lines)}
    assert "0" not in status["Uid"]
    assert status["CapEff"] == status["CapBnd"] == [NO_CAPABILITIES]
    assert status["NoNewPrivs"] == ["1"]
    assert stack.inspect(stack.containers(service)[0])["HostConfig"]["ReadonlyRootfs"] is True


@pytest.mark.parametrize("service", SERVICES)
def test_provider_keys_reach_dispatch_alone(stack: ComposeStack, service: str) -> None:
    environment = stack.inspect(stack.containers(service)[0])["Config"]["Env"]
    assert any(PROVIDER_KEY in variable for variable in environment) == (service == "dispatch")


@pytest.mark.parametrize("service", WORKERS)
def test_the_image_holds_no_pip_and_no_compiler(stack: ComposeStack, service: str) -> None:
    code = f"{_IMPORTS}; print([n for n in {_TOOLS} if which(n)] + [n for n in {_MODULES} if find_spec(n)])"
    assert stack.shell(service, "python", "-c", code) == "[]"


def test_redis_answers_nobody_without_a_password_and_roles_only_their_own_keys(stack: ComposeStack) -> None:
    assert "NOAUTH" in stack.shell("redis", "redis-cli", "ping")
    password = stack.environment["REDIS_EMBED_PASSWORD"]
    as_embed = ("redis-cli", "--no-auth-warning", "--user", "embed", "--pass", password)
    assert stack.shell("redis", *as_embed, "ping") == "PONG"
    assert "NOPERM" in stack.shell("redis", *as_embed, "get", "limit:sim-nano")
    assert "NOPERM" in stack.shell("redis", *as_embed, "flushall")


@pytest.mark.parametrize(("variable", "path"), [("FLOWER_PORT", "/workers"), ("API_PORT", "/v1/models")])
def test_published_ports_are_on_loopback_and_ask_for_a_key(
    stack: ComposeStack, variable: str, path: str
) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"http://127.0.0.1:{stack.environment[variable]}{path}", timeout=20)
    assert refused.value.code == 401
    refused.value.close()
    service = variable.removesuffix("_PORT").lower()
    ports = stack.inspect(stack.containers(service)[0])["NetworkSettings"]["Ports"]
    assert {one["HostIp"] for bound in ports.values() for one in bound or ()} == {"127.0.0.1"}, json.dumps(
        ports
    )
