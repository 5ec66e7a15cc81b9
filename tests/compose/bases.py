"""The images that ours are built on: pulled, or made of Debian's packages where no registry answers."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import yaml

from tests.compose.engine import REPOSITORY, CommandFailed, Engine, Missing, run

_STAND_INS = Path(__file__).parent / "stand_ins"
_DEBIAN = "waybill-test/debian:bookworm"
_MIRROR = "http://deb.debian.org/debian"
#: the authorities that Debian's programs trust
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PULL_S, _BUILD_S, _DEBOOTSTRAP_S = 300, 600, 900


def prepare_bases(engine: Engine) -> dict[str, str]:
    """Return the image to use for each of python, redis and postgres.

    Raises:
        Missing: An image can neither be pulled nor made.
    """
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    real = {"python": "python:3.11-slim"} | {name: services[name]["image"] for name in ("redis", "postgres")}
    if all(engine.has_image(image) or _pulled(engine, image) for image in real.values()):
        return real
    return {name: _stand_in(engine, name) for name in real}


def _pulled(engine: Engine, image: str) -> bool:
    try:
        engine("pull", "--quiet", image, timeout_s=_PULL_S)
    except CommandFailed:
        return False
    return True


def _stand_in(engine: Engine, name: str) -> str:
    if not engine.has_image(_DEBIAN):
        _import_debian(engine)
    image = f"waybill-test/{name}"
    recipe = _STAND_INS / f"{name}.Dockerfile"
    trusted = ("--secret", f"id=authorities,src={_AUTHORITIES}") if _AUTHORITIES.exists() else ()
    command = ("build", "--network", "host", "--file", str(recipe), *trusted, "--tag", image, str(_STAND_INS))
    try:
        engine(*command, timeout_s=_BUILD_S)
    except CommandFailed as error:
        raise Missing(f"{image} could not be built from Debian's packages:\n{error}") from error
    return image


def _import_debian(engine: Engine) -> None:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise Missing(
            "no image registry answers, and debootstrap is not installed or may not run (it needs root)"
        )
    with tempfile.TemporaryDirectory(prefix="waybill-debian-") as folder:
        root, archive = f"{folder}/root", f"{folder}/root.tar"
        try:
            run("debootstrap", "--variant=minbase", "bookworm", root, _MIRROR, timeout_s=_DEBOOTSTRAP_S)
            run("tar", "--create", "--file", archive, "--directory", root, ".", timeout_s=_BUILD_S)
            engine("import", archive, _DEBIAN, timeout_s=_BUILD_S)
        except CommandFailed as error:
            raise Missing(f"no image registry answers, and debootstrap failed:\n{error}") from error
