"""The Kubernetes files keep the rules of the compose file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.app import queue_names
from tasks.settings import DispatchSettings, load_settings
from tasks.settings.sections import ApiSettings
from tests.support.paths import REPOSITORY
from workers.api.server import DRAIN_S
from workers.worker.run import STOP_MARGIN_S, Role

FOLDER = REPOSITORY / "deploy" / "kubernetes"
BASE = FOLDER / "base"


def objects(kind: str) -> dict[str, Any]:
    files = [*BASE.glob("*.yaml"), *FOLDER.glob("overlays/*/*.yaml")]
    found = [one for file in sorted(files) for one in yaml.safe_load_all(file.read_text())]
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


DEPLOYMENTS = objects("Deployment")


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    return dict(only)


@pytest.mark.parametrize("folder", [BASE, *FOLDER.glob("overlays/*")], ids=lambda folder: folder.name)
def test_every_file_is_applied(folder: Path) -> None:
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert set(listed) - {"../../base"} | {"kustomization.yaml"} == {
        file.name for file in folder.glob("*.yaml")
    }


def test_every_deployment_may_lose_one_pod_at_a_time_when_nodes_are_drained() -> None:
    budgets = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: one["spec"]["maxUnavailable"]
        for one in objects("PodDisruptionBudget").values()
    }
    assert budgets == dict.fromkeys(DEPLOYMENTS, 1)


def test_the_api_is_taken_out_of_its_service_before_it_stops_and_put_in_when_it_answers() -> None:
    api = container("api")
    assert api["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    (_, waits_s) = api["lifecycle"]["preStop"]["exec"]["command"]
    assert pod("api")["terminationGracePeriodSeconds"] >= float(waits_s) + DRAIN_S + STOP_MARGIN_S


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_are_restricted(name: str) -> None:
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["automountServiceAccountToken"] is False
    context = container(name)["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_are_probed_by_the_health_check_of_the_image(name: str) -> None:
    for probe in ("startupProbe", "livenessProbe"):
        assert container(name)[probe]["exec"]["command"] == ["sh", "/opt/waybill/healthcheck.sh"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_images_are_those_of_the_compose_file(name: str) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert container(name)["image"] == f"waybill-{name.split('-')[0]}:{version}"


def mounts(name: str) -> dict[str, dict[str, Any]]:
    return {one["mountPath"]: one for one in container(name)["volumeMounts"]}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_can_write_to_their_home(name: str) -> None:
    volumes = {one["name"]: one for one in pod(name)["volumes"]}
    home = mounts(name)["/var/lib/waybill"]
    assert "readOnly" not in home
    assert "emptyDir" in volumes[home["name"]]


@pytest.mark.parametrize("name", ["embed", "route"])
def test_the_stages_that_read_the_router_mount_it(name: str) -> None:
    router = mounts(name)["/var/lib/waybill/router"]
    assert router["readOnly"] is True


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_mount_is_a_volume_of_its_pod(name: str) -> None:
    volumes = {one["name"] for one in pod(name)["volumes"]}
    assert {one["name"] for one in container(name)["volumeMounts"]} == volumes


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_secrets_come_by_reference(name: str) -> None:
    variables = container(name)["env"]
    assert [variable for variable in variables if "secretKeyRef" not in variable["valueFrom"]] == []
    keys = "envFrom" in container(name)
    assert keys == name.startswith("dispatch-")


@pytest.mark.parametrize("name", [name for name in DEPLOYMENTS if name not in ("flower", "upkeep", "api")])
def test_pods_may_drain(name: str) -> None:
    assert pod(name)["terminationGracePeriodSeconds"] > DispatchSettings().drain_s + STOP_MARGIN_S


def test_there_is_a_deployment_for_every_role_and_every_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path))
    models = [model.name for model in load_settings(BASE / "waybill.toml").models]
    dispatch = {f"dispatch-{name}": ["worker", "dispatch", "--models", name] for name in models}
    others = {role.value: ["worker", role.value] for role in Role if role is not Role.DISPATCH}
    served = {name: [name, "--address", "0.0.0.0"] for name in ("flower", "api")}
    assert {name: container(name)["args"] for name in DEPLOYMENTS} == {**dispatch, **others, **served}


def test_every_queue_scales_the_deployment_that_empties_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path))
    scaled = {
        one["spec"]["triggers"][0]["metadata"]["listName"]: one["spec"]["scaleTargetRef"]["name"]
        for one in objects("ScaledObject").values()
    }
    queues = queue_names(load_settings(BASE / "waybill.toml"))
    assert scaled == {queue: queue.replace(".", "-") for queue in queues}


def test_nothing_comes_in_but_to_the_api_and_only_it_and_dispatch_reach_the_internet() -> None:
    policies = objects("NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    open_to_all = {
        name
        for name, policy in policies.items()
        for rule in policy["spec"].get("egress", [])
        for peer in rule["to"]
        if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    }
    assert open_to_all == {"providers", "api"}
    assert {name for name, policy in policies.items() if policy["spec"].get("ingress")} == {"api"}
    assert policies["api"]["spec"]["podSelector"]["matchLabels"] == {"waybill/role": "api"}
    assert policies["providers"]["spec"]["podSelector"]["matchLabels"] == {"waybill/role": "dispatch"}


EXAMPLE = FOLDER / "overlays" / "example"


def test_the_example_takes_every_image_from_its_registry_and_scales_what_there_is() -> None:
    described = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    images = {container(name)["image"] for name in DEPLOYMENTS}
    assert {f"{one['name']}:{one['newTag']}" for one in described["images"]} == images
    assert {one["name"] for one in described["replicas"]} <= set(DEPLOYMENTS)


def test_the_examples_models_have_the_deployments_of_the_base(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path))
    models = load_settings(EXAMPLE / "waybill.toml").models
    assert {f"dispatch-{model.name}" for model in models} == {one for one in DEPLOYMENTS if "-" in one}


def test_the_examples_ingress_leads_to_the_api_and_lets_its_largest_file_through() -> None:
    ingress = objects("Ingress")["api"]
    [path] = ingress["spec"]["rules"][0]["http"]["paths"]
    service = path["backend"]["service"]
    ports = {port["name"] for port in objects("Service")[service["name"]]["spec"]["ports"]}
    assert service["port"]["name"] in ports
    size = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert size == f"{ApiSettings().max_file_mb:.0f}m"


def test_the_how_to_page_makes_every_secret_that_a_pod_needs() -> None:
    page = (REPOSITORY / "docs" / "howto" / "kubernetes.md").read_text()
    made = dict(re.findall(r"create secret generic (\S+) --from-env-file=(\S+)", page))
    files = {name: set(re.findall(r"^(\w+)=", text, re.MULTILINE)) for name, text in _env_files(page)}
    for name in DEPLOYMENTS:
        for source in (variable["valueFrom"]["secretKeyRef"] for variable in container(name)["env"]):
            assert source.get("optional") or source["key"] in files[made[source["name"]]], source
    settings = tomllib.loads((EXAMPLE / "waybill.toml").read_text())
    assert {model["api_key_env"] for model in settings["models"]} == files[made["waybill-providers"]]


def _env_files(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^# (\S+\.env)\n((?:\S.*\n)+)", page, re.MULTILINE)


def test_the_settings_hold_no_url_that_could_hold_a_password() -> None:
    values = tomllib.loads((BASE / "waybill.toml").read_text())
    assert "store" not in values
    assert "redis" not in values
