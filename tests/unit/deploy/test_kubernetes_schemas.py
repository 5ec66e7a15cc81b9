"""Every object of deploy/kubernetes and deploy/jobs has keys that Kubernetes and KEDA know only."""

from __future__ import annotations

import json
import shutil
import subprocess
from copy import deepcopy
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "kubernetes"
KEDA = json.loads((REPOSITORY / "tests" / "data" / "kubernetes" / "keda.json").read_text())
#: the oldest release that is still maintained, and the newest
RELEASES = ("1.34", "1.37")
FOLDERS = ["base", *(f"overlays/{one.name}" for one in FOLDER.glob("overlays/*"))]
OBJECTS = {
    f"{file.parent.name}/{file.name}: {one['kind']} {one['metadata']['name']}": one
    for file in sorted([*FOLDER.rglob("*.yaml"), *(FOLDER.parent / "jobs").glob("*.yaml")])
    for one in yaml.safe_load_all(file.read_text())
    if one["kind"] != "Kustomization"
}


def validate(described: dict[str, Any], release: str) -> None:
    """Raise a ValidationError where an object does not fit its schema."""
    if described["kind"] in KEDA:
        jsonschema.validate(described, KEDA[described["kind"]])
    else:
        kubernetes_validate.validate(described, release, strict=True)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_fits_its_schema(name: str, release: str) -> None:
    validate(OBJECTS[name], release)


@pytest.mark.parametrize("kind", sorted({one["kind"] for one in OBJECTS.values()} & {"Deployment", *KEDA}))
def test_an_unknown_key_and_a_value_of_the_wrong_kind_are_seen(kind: str) -> None:
    described = next(one for one in OBJECTS.values() if one["kind"] == kind)
    for key, value in (("replica", 1), (next(iter(described["spec"])), 0.5)):
        wrong = deepcopy(described)
        wrong["spec"][key] = value
        with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
            validate(wrong, RELEASES[-1])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_puts_them_together(folder: str) -> None:
    command = ["kubectl", "kustomize", str(FOLDER / folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert ended.returncode == 0, ended.stderr
    built = list(yaml.safe_load_all(ended.stdout))
    for described in built:
        validate(described, RELEASES[-1])
    assert {"Deployment", "PodDisruptionBudget", "NetworkPolicy"} <= {one["kind"] for one in built}
