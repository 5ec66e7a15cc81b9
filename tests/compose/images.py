"""Builds the images of docker-compose.yml, and those of the version before."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.compose.engine import REPOSITORY, CommandFailed, Engine, run

TAG, PREVIOUS_TAG = "test", "test-previous"
#: the roles that are replaced in mid-batch
UPGRADED = ("upkeep", "dispatch")
#: the version before, where no tag names one
_PREVIOUS_COMMIT = "c9fd6fd"
_BUILD_S = 1_200


def extras_of_services() -> dict[str, str]:
    """Return the extras that each service's image installs, by its name."""
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    return {
        re.split(r"[:$]", service["image"])[0]: service["build"]["args"]["ROLE_EXTRAS"]
        for service in services.values()
        if "build" in service
    }


def build_images(
    engine: Engine,
    names: Sequence[str],
    *,
    base: str,
    torch_index: str,
    tag: str = TAG,
    context: Path = REPOSITORY,
) -> None:
    """Build each image once for all names that install the same.

    Raises:
        CommandFailed: A build failed.
    """
    extras = extras_of_services()
    by_extras: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_extras[extras[name]].append(name)
    for extra, same in by_extras.items():
        values = {"BASE": base, "ROLE_EXTRAS": extra, "TORCH_INDEX": torch_index}
        _build(engine, [f"{name}:{tag}" for name in same], values, context)


def _build(engine: Engine, tags: Sequence[str], values: Mapping[str, str], context: Path) -> None:
    print(f"building {', '.join(tags)}", flush=True)
    words = [word for name, value in values.items() for word in ("--build-arg", f"{name}={value}")]
    words += [word for tag in tags for word in ("--tag", tag)]
    file = str(context / "deploy" / "Dockerfile")
    engine("build", "--network", "host", "--file", file, *words, str(context), timeout_s=_BUILD_S)


def build_previous(engine: Engine, *, base: str, torch_index: str) -> str | None:
    """Build the upgraded roles' images of the version before; returns its name, None if git lacks it."""
    version = _previous_version()
    if version is None:
        return None
    with TemporaryDirectory(prefix="waybill-previous-") as folder:
        archive, context = Path(folder, "archive.tar"), Path(folder, "source")
        context.mkdir()
        run("git", "-C", str(REPOSITORY), "archive", "--output", str(archive), version)
        run("tar", "--extract", "--file", str(archive), "--directory", str(context))
        _set_base(context / "deploy" / "Dockerfile", base)
        names = [f"waybill-{role}" for role in UPGRADED]
        build_images(engine, names, base=base, torch_index=torch_index, tag=PREVIOUS_TAG, context=context)
    return version


def _set_base(dockerfile: Path, base: str) -> None:
    """Let a Dockerfile from before the argument BASE build on this image."""
    text = dockerfile.read_text()
    if "ARG BASE" not in text:
        dockerfile.write_text(text.replace("FROM python:${PYTHON}-slim", f"FROM {base}"))


def _previous_version() -> str | None:
    if shutil.which("git") is None:
        return None
    git = ("git", "-C", str(REPOSITORY))
    try:
        tags = run(*git, "tag", "--list", "v*", "--no-contains", "HEAD", "--merged", "HEAD",
                   "--sort", "-v:refname").stdout.split()  # fmt: skip
        version = tags[0] if tags else _PREVIOUS_COMMIT
        run(*git, "rev-parse", "--verify", f"{version}^{{commit}}")
    except CommandFailed:
        return None
    return version
