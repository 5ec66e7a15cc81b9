"""The Dockerfile: staged, pinned, without root or secrets, checked by a script that exists."""

from __future__ import annotations

import ast
import re
import tomllib

from tests.support.paths import REPOSITORY

DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()
INSTALL = (REPOSITORY / "deploy" / "install.sh").read_text()
PRECOMPILE = (REPOSITORY / "deploy" / "precompile.py").read_text()
IGNORED = (REPOSITORY / ".dockerignore").read_text().splitlines()


def stages() -> list[str]:
    return re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]


def instructions(text: str) -> list[str]:
    """The instructions, each on a line, without comments."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()


def test_packages_are_pinned_and_every_file_is_checked_by_its_hash() -> None:
    wheels, torch, _ = stages()
    assert "pip download --require-hashes" in re.sub(r"\s+", " ", wheels)
    assert "--constraint requirements.lock" in torch
    (install,) = [line for line in instructions(INSTALL) if line.startswith("pip install")]
    assert "--no-index" in install
    assert "--constraint /src/requirements.lock" in install


def test_no_argument_that_differs_between_roles_is_above_what_they_share() -> None:
    wheels, _, final = stages()
    assert "ARG" not in wheels
    shared, role = re.split(r"^ARG ROLE_EXTRAS.*$", final, flags=re.MULTILINE)
    assert "sh /src/install.sh --common" in shared
    assert 'sh /src/install.sh "$ROLE_EXTRAS"' in role
    assert "ARG" not in shared


def test_a_change_of_the_documents_leaves_the_layers_of_the_packages_as_they_are() -> None:
    copied = [line for line in instructions(stages()[0]) if line.startswith("COPY")]
    assert [line for line in copied if ".md" in line] == []


def test_what_a_role_loads_at_its_start_has_bytecode() -> None:
    names = {alias.name for node in ast.walk(ast.parse(PRECOMPILE)) for alias in getattr(node, "names", [])}
    assert names == {"importlib.util", "sys"}, "it runs before any of our code is there"
    known = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    listed = set(re.findall(r'^    "(\w+)": "', PRECOMPILE, re.MULTILINE))
    assert listed <= set(known)


def test_code_is_copied_after_all_packages_are_installed() -> None:
    lines = [line.split()[0] for line in instructions(stages()[-1]) if line]
    assert "RUN" not in lines[lines.index("COPY") :]


def test_the_image_holds_no_pip() -> None:
    final = stages()[-1]
    assert "venv --without-pip" in final
    assert "rm -rf" in final
    assert "/usr/local/bin/pip*" in final


def test_extras_and_the_index_of_torch_are_arguments() -> None:
    assert re.search(r"^ARG ROLE_EXTRAS", stages()[1], re.MULTILINE)
    assert re.search(r"^ARG TORCH_INDEX", stages()[1], re.MULTILINE)


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
