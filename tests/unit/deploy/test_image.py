"""The Dockerfile: staged, pinned, without root or secrets, checked by a script that exists."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from tests.support.paths import REPOSITORY

DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()
IGNORED = (REPOSITORY / ".dockerignore").read_text().splitlines()


def stages() -> list[str]:
    return re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_the_image_is_built_in_a_stage_of_its_own_from_pinned_packages() -> None:
    build, final = stages()
    assert "--constraint requirements.lock" in build
    assert "pip install" not in final
    assert "pip download --require-hashes" in build
    assert (REPOSITORY / "requirements.lock").is_file()


def test_extras_and_the_index_of_torch_are_arguments() -> None:
    assert re.search(r"^ARG ROLE_EXTRAS", stages()[0], re.MULTILINE)
    assert re.search(r"^ARG TORCH_INDEX", stages()[0], re.MULTILINE)


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)", stages()[-1], re.MULTILINE)
    assert users == ["10001:10001"]


def test_the_image_is_told_how_to_check_itself_and_what_to_run() -> None:
    assert "HEALTHCHECK" in stages()[-1]
    assert 'ENTRYPOINT ["waybill"]' in stages()[-1]


def test_no_argument_or_variable_of_the_image_is_a_secret() -> None:
    names = re.findall(r"^(?:ARG|ENV)\s+(\w+)|^\s+(\w+)=", DOCKERFILE, re.MULTILINE)
    secret = re.compile("KEY|TOKEN|PASSWORD|SECRET|AUTH")
    assert [name for pair in names for name in pair if secret.search(name)] == []


def test_everything_that_is_copied_exists_and_is_let_through() -> None:
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    ]
    assert len(copied) > 0
    for name in copied:
        assert (REPOSITORY / name).exists(), name
        assert f"!{name}" in IGNORED, name


def test_the_build_context_begins_with_nothing() -> None:
    patterns = [line for line in IGNORED if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert "**/.env" in patterns


def healthcheck() -> ModuleType:
    spec = importlib.util.spec_from_file_location("healthcheck", REPOSITORY / "deploy" / "healthcheck.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        ("python /opt/waybill/bin/waybill worker embed", "embed"),
        ("waybill worker dispatch --models small", "dispatch"),
        ("waybill flower --address 0.0.0.0", "flower"),
    ],
)
def test_the_health_check_reads_the_role_from_the_arguments(arguments: str, role: str) -> None:
    assert healthcheck().role_of(arguments.split()) == role


def test_the_health_check_refuses_a_process_that_is_no_worker() -> None:
    with pytest.raises(ValueError, match="worker"):
        healthcheck().role_of(["sh", "-c", "sleep"])
