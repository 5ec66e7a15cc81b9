"""docker-compose.yml keeps the rules of a service that can be scaled and holds no secret."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import Any

import pytest
import typer
import yaml

from tasks.settings import DispatchSettings
from tests.support.paths import REPOSITORY
from workers.cli.application import app
from workers.worker.run import STOP_MARGIN_S, Role

TEXT = (REPOSITORY / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
WORKERS = [role.value for role in Role]
OWN = [*WORKERS, "flower", "metrics", "api", "cli"]
MONITORING = ["metrics", "prometheus", "grafana"]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_every_role_is_a_service() -> None:
    assert set(SERVICES) == {"redis", "postgres", "simulator", *MONITORING, *OWN}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_runs_as_root_or_writes_to_its_image(name: str) -> None:
    service = SERVICES[name]
    assert not service["user"].startswith(("0", "root"))
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "cli"])
def test_every_service_that_stays_is_checked_and_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", [name for name in OWN if name != "api"])
def test_nothing_starts_before_the_services_it_needs_are_healthy(name: str) -> None:
    needed = SERVICES[name]["depends_on"]
    assert {one["condition"] for one in needed.values()} == {"service_healthy"}
    assert "redis" in needed


@pytest.mark.parametrize("name", WORKERS)
def test_workers_can_be_scaled(name: str) -> None:
    assert "container_name" not in SERVICES[name]
    assert "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_may_drain_before_it_is_killed(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) > DispatchSettings().drain_s + STOP_MARGIN_S


@pytest.mark.parametrize("name", OWN)
def test_every_command_is_one_of_waybill(name: str) -> None:
    command, *arguments = SERVICES[name]["command"]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    if command == "worker":
        assert arguments[0] == name
    known = {option for parameter in commands[command].params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known


@pytest.mark.parametrize("name", OWN)
def test_every_extra_is_one_of_pyproject(name: str) -> None:
    extras = SERVICES[name]["build"]["args"]["ROLE_EXTRAS"]
    assert set(filter(None, extras.split(","))) <= set(EXTRAS)


def test_each_role_installs_only_what_it_runs() -> None:
    installed = {role: SERVICES[role]["build"]["args"]["ROLE_EXTRAS"] for role in WORKERS}
    assert installed == {
        "embed": "embed",
        "route": "route",
        "dispatch": "dispatch",
        "judge": "",
        "upkeep": "",
    }
    for extra, heavy in (("dispatch", "torch"), ("embed", "litellm")):
        assert [requirement for requirement in EXTRAS[extra] if requirement.startswith(heavy)] == []


def test_no_password_or_key_is_written_down() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|AUTH|URL", variable):
                assert "${" in value, f"{name}: {variable}"
    assert re.findall(r"://[^:\s]+:[^$\s][^@\s]*@", TEXT) == []


def test_only_dispatch_workers_get_provider_keys_and_only_they_reach_providers() -> None:
    with_keys = [name for name, service in SERVICES.items() if "env_file" in service]
    assert with_keys == ["dispatch"]
    outside = {name for name, service in SERVICES.items() if "egress" in service["networks"]}
    assert outside == {"dispatch", "flower", "api", "grafana"}
    assert COMPOSE["networks"]["backend"]["internal"] is True


def test_flower_is_published_on_loopback_with_a_password() -> None:
    assert SERVICES["flower"]["ports"] == ["127.0.0.1:${FLOWER_PORT:-5555}:5555"]
    assert "WAYBILL_FLOWER_AUTH" in SERVICES["flower"]["environment"]


def test_the_api_is_published_on_loopback_and_keeps_its_files() -> None:
    assert SERVICES["api"]["ports"] == ["127.0.0.1:${API_PORT:-8080}:8080"]
    assert SERVICES["api"]["volumes"] == ["files:/var/lib/waybill/files"]
    assert SERVICES["api"]["build"]["args"]["ROLE_EXTRAS"] == "api"
    assert set(SERVICES["api"]["depends_on"]) == {"postgres"}, "it serves without Redis, which it only reads"
    assert (
        "redis://metrics:${REDIS_METRICS_PASSWORD:-}@" in SERVICES["api"]["environment"]["WAYBILL_REDIS__URL"]
    )


def test_monitoring_runs_on_demand_and_needs_no_variable_that_an_earlier_env_file_lacks() -> None:
    for name in MONITORING:
        assert SERVICES[name]["profiles"] == ["monitoring"]
        needed = re.findall(r"\$\{(\w+):\?", str(SERVICES[name]["environment"]))
        assert set(needed) <= {"POSTGRES_PASSWORD"}
    assert "ports" not in SERVICES["prometheus"]
    assert SERVICES["grafana"]["ports"] == ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]


@pytest.mark.parametrize("name", ["embed", "route"])
def test_the_stages_that_read_the_router_mount_it_and_cannot_change_it(name: str) -> None:
    assert "router:/var/lib/waybill/router:ro" in SERVICES[name]["volumes"]


def test_vectors_the_router_and_the_distilled_embedder_outlive_a_container() -> None:
    assert "vectors:/var/lib/waybill/vectors" in SERVICES["embed"]["volumes"]
    assert SERVICES["cli"]["volumes"] == [
        "vectors:/var/lib/waybill/vectors",
        "router:/var/lib/waybill/router",
        "cache:/var/cache/waybill",
    ]
    dockerfile = (REPOSITORY / "deploy" / "Dockerfile").read_text()
    assert "XDG_CACHE_HOME=/var/cache/waybill" in dockerfile


@pytest.mark.parametrize("name", OWN)
def test_homes_can_be_written_to_by_their_user(name: str) -> None:
    service = SERVICES[name]
    uid, gid = service["user"].split(":")
    assert f"/var/lib/waybill:uid={uid},gid={gid},mode=0700" in service["tmpfs"]


def test_every_user_of_redis_has_a_password_in_its_environment_and_in_new_env() -> None:
    acl = (REPOSITORY / "deploy" / "redis" / "users.acl").read_text()
    users = re.findall(r"^user (\w+)", acl, re.MULTILINE)
    wanted = {f"REDIS_{user.upper()}_PASSWORD" for user in users}
    assert set(SERVICES["redis"]["environment"]) == wanted
    made = subprocess.run([REPOSITORY / "deploy" / "new-env.sh"], capture_output=True, text=True).stdout
    assert wanted <= set(re.findall(r"^(\w+)=\w+$", made, re.MULTILINE))


@pytest.mark.parametrize("name", OWN)
def test_every_variable_that_a_service_needs_is_made_by_new_env(name: str) -> None:
    made = subprocess.run([REPOSITORY / "deploy" / "new-env.sh"], capture_output=True, text=True).stdout
    needed = re.findall(r"\$\{(\w+):\?", str(SERVICES[name]["environment"]))
    assert set(needed) <= set(re.findall(r"^(\w+)=", made, re.MULTILINE))


@pytest.mark.parametrize("name", [*WORKERS, "flower"])
def test_health_checks_start_no_python(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "sh", "/opt/waybill/healthcheck.sh"]


@pytest.mark.parametrize("name", [*OWN, "simulator"])
def test_images_carry_the_version_as_their_tag(name: str) -> None:
    image = f"waybill-{'dispatch' if name == 'simulator' else name}"
    assert SERVICES[name]["image"] == f"{image}:${{WAYBILL_TAG:-{PROJECT['version']}}}"


@pytest.mark.parametrize("name", SERVICES)
def test_the_log_of_a_service_is_rotated(name: str) -> None:
    logging = SERVICES[name]["logging"]
    assert (logging["driver"], set(logging["options"])) == ("json-file", {"max-size", "max-file"})


def test_every_volume_network_and_config_is_declared() -> None:
    for service in SERVICES.values():
        volumes = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert {volume for volume in volumes if not volume.startswith(".")} <= set(COMPOSE["volumes"])
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert {config["source"] for config in service.get("configs", [])} <= set(COMPOSE["configs"])
