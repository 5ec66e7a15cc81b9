"""Finds the engine and prepares base images and images, once for each run."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tests.compose.bases import prepare_bases
from tests.compose.engine import CommandFailed, Engine, Missing, TookTooLong, find_engine
from tests.compose.images import build_images, build_previous, extras_of_services
from tests.compose.torch_index import answers, torch_index

_REGISTRIES = (
    "https://pypi.org/simple/pip/",
    "https://files.pythonhosted.org/",
    "http://deb.debian.org/debian/dists/bookworm/Release",
)
#: what ends a build and is no fault of the Dockerfile's: apt and pip gave a download up, the disk is full
_OUTSIDE = re.compile(r"E: Failed to fetch|Max retries exceeded|no space left on device", re.IGNORECASE)
#: what base images, images and their caches take when nothing is there yet, and some room
_FREE_GB = 12


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the stack is made of.

    Attributes:
        engine: The engine that has the images.
        bases: The image of python, and those of the services that are not ours.
        previous: The version whose images are there to be upgraded, None if there is none.
    """

    engine: Engine
    bases: Mapping[str, str]
    previous: str | None


@cache
def prepare() -> Prepared:
    """Build everything that the stack needs.

    Raises:
        Missing: Something cannot be had on this machine.
        CommandFailed: An image of ours could not be built.
    """
    engine = find_engine()
    print(f"engine: {engine.cli}, Compose {engine.version}", flush=True)
    _check_disk(engine)
    _check_reachable(engine)
    bases = prepare_bases(engine)
    print(f"base images: {', '.join(bases.values())}", flush=True)
    with torch_index() as index:
        try:
            previous = _build(engine, bases["python"], index)
        except TookTooLong as error:
            raise Missing(str(error)) from error
        except CommandFailed as error:
            _check_registries(error)
            previous = _build_again(engine, bases["python"], index)
    # images of earlier runs, whose tags these have now: a gigabyte each
    engine("image", "prune", "--force", "--filter", "label=org.opencontainers.image.title=Waybill")
    return Prepared(engine, bases, previous)


def _build(engine: Engine, base: str, index: str) -> str | None:
    build_images(engine, list(extras_of_services()), base=base, torch_index=index)
    return build_previous(engine, base=base, torch_index=index)


def _build_again(engine: Engine, base: str, index: str) -> str | None:
    """Build once more, because a registry may have broken off."""
    try:
        return _build(engine, base, index)
    except CommandFailed as error:
        if isinstance(error, TookTooLong) or _OUTSIDE.search(str(error)):
            raise Missing(str(error)) from error
        raise


def _check_registries(failure: CommandFailed) -> None:
    """Raise `Missing` if a build may have failed because a package registry does not answer."""
    for url in _REGISTRIES:
        if not answers(url):
            raise Missing(f"{url} does not answer, and an image could not be built\n{failure}") from failure


def _check_disk(engine: Engine) -> None:
    root = engine("info", "--format", "{{.DockerRootDir}}")
    try:
        free = shutil.disk_usage(root).free / 1e9
    except OSError:  # the daemon is on another machine
        raise Missing("the Docker daemon does not run on this machine") from None
    if free < _FREE_GB:
        raise Missing(f"{free:.0f} GB free in {root}, and the images need up to {_FREE_GB} GB")


def _check_reachable(engine: Engine) -> None:
    """Raise `Missing` if this machine does not reach containers by their addresses, as the tests do.

    That is so where the daemon runs in a virtual machine or without root.
    """
    try:
        address = bridge_address(engine)
        with socket.socket() as probe:
            probe.bind((address, 0))
    except (CommandFailed, OSError) as error:
        raise Missing(f"Docker's bridge is not on this machine: {error}") from error


def bridge_address(engine: Engine) -> str:
    """The address of this machine on Docker's bridge."""
    return engine("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
