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
_OTHERS = ("redis", "postgres", "prometheus")
#: the authorities that Debian's programs trust
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
#: what images of Debian leave out: half of what debootstrap makes
_LEFT_OUT = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/man/*",
             "./usr/share/locale/*")  # fmt: skip
_PULL_S, _BUILD_S, _DEBOOTSTRAP_S = 300, 600, 900


def prepare_bases(engine: Engine) -> dict[str, str]:
    """Return the image to use for each of python, the services that are not ours, and a stand-in for Grafana.

    Raises:
        Missing: An image can neither be pulled nor made.
    """
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    real = {"python": "python:3.11-slim"} | {name: services[name]["image"] for name in _OTHERS}
    if not all(engine.has_image(image) or _pulled(engine, image) for image in real.values()):
        real = {name: _of_debian(engine, name) for name in real}
    return real | {"grafana": _stand_in(engine, "grafana", "--build-arg", f"BASE={real['python']}")}


def _pulled(engine: Engine, image: str) -> bool:
    try:
        engine("pull", "--quiet", image, timeout_s=_PULL_S)
    except CommandFailed:
        return False
    return True


def debian(engine: Engine) -> str:
    """Return an image of Debian 12 that debootstrap made.

    Raises:
        Missing: It cannot be made here.
    """
    if not engine.has_image(_DEBIAN):
        _import_debian(engine)
    return _DEBIAN


def _of_debian(engine: Engine, name: str) -> str:
    debian(engine)
    trusted = ("--secret", f"id=authorities,src={_AUTHORITIES}") if _AUTHORITIES.exists() else ()
    return _stand_in(engine, name, *trusted)


def _stand_in(engine: Engine, name: str, *options: str) -> str:
    image = f"waybill-test/{name}"
    recipe = _STAND_INS / f"{name}.Dockerfile"
    command = ("build", "--network", "host", "--file", str(recipe), *options, "--tag", image, str(_STAND_INS))
    try:
        engine(*command, timeout_s=_BUILD_S)
    except CommandFailed as error:
        raise Missing(f"{image} could not be built:\n{error}") from error
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
            without = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
            run("tar", "--create", "--file", archive, *without, "--directory", root, ".", timeout_s=_BUILD_S)
            engine("import", archive, _DEBIAN, timeout_s=_BUILD_S)
        except CommandFailed as error:
            raise Missing(f"no image registry answers, and debootstrap failed:\n{error}") from error
