"""Containers in which systemd runs as process 1, in place of hosts."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.compose.bases import debian
from tests.compose.engine import REPOSITORY, CommandFailed, Engine, run

IMAGE = "waybill-test/systemd"
NETWORK = "waybill-test-systemd"
_RECIPE = """\
FROM {base}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    ca-certificates dbus gawk procps systemd systemd-sysv && apt-get clean
CMD ["/lib/systemd/systemd"]
"""
_WHEELS = Path(os.environ.get("PIP_FIND_LINKS", "/nowhere"))
#: what `pip` needs where this machine has a proxy or wheels of its own; torch without CUDA's libraries
_PIP = "export DEBIAN_FRONTEND=noninteractive PIP_FIND_LINKS=/root/wheels PIP_CONSTRAINT=/root/constraints"


@dataclass(frozen=True)
class Machine:
    """A host: a container of this name."""

    engine: Engine
    name: str

    def sh(self, script: str, *, text: str = "", timeout_s: float = 1_800) -> str:
        """Run a script as root in the checkout, and return what it printed.

        Raises:
            CommandFailed: A command of it failed.
        """
        command = ("exec", "--interactive", "--workdir", "/root/waybill", self.name, "bash", "-euc")
        return self.engine(*command, f"{_PIP}\n{script}", timeout_s=timeout_s, text=text)

    def put(self, source: Path, target: str) -> None:
        """Copy a file or folder of this machine into it."""
        self.engine("cp", str(source), f"{self.name}:{target}")

    def address(self) -> str:
        """Return its address in the network of the hosts."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.engine("inspect", "--format", form, self.name)

    def remove(self) -> None:
        """Take its power away."""
        run(self.engine.cli, "rm", "--force", "--volumes", self.name, allowed=(0, 1))


def build_image(engine: Engine) -> None:
    """Make the image of a host."""
    engine("build", "--tag", IMAGE, "-", text=_RECIPE.format(base=debian(engine)), timeout_s=900)


def start(engine: Engine, name: str, wheel: Path) -> Machine:
    """Start a host that has the checkout with the wheel in `dist`."""
    machine = Machine(engine, f"{NETWORK}-{name}")
    machine.remove()
    rights = ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--security-opt", "seccomp=unconfined"]
    mounts = ["--tmpfs", "/run", "--tmpfs", "/run/lock", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    mounts += ["--volume", f"{NETWORK}-pip:/root/.cache/pip"]  # it stays: the next run downloads less
    named = ["--name", machine.name, "--hostname", name, "--network", NETWORK]
    engine("run", "--detach", *named, *rights, *mounts, IMAGE)
    engine("exec", machine.name, "mkdir", "--parents", "/root/waybill/dist", "/root/wheels")
    for folder in ("deploy", "docs"):
        machine.put(REPOSITORY / folder, f"/root/waybill/{folder}")
    machine.put(wheel, f"/root/waybill/dist/{wheel.name}")
    if _WHEELS.is_dir():
        machine.put(_WHEELS / ".", "/root/wheels")
    if certificates := os.environ.get("PIP_CERT"):
        machine.put(Path(certificates), "/etc/ssl/certs/ca-certificates.crt")
    pinned = (REPOSITORY / "requirements.lock").read_text().splitlines()
    machine.sh(f"echo '{next(line for line in pinned if line.startswith('torch=='))}' > /root/constraints")
    return machine


def build_wheel(folder: Path) -> Path:
    """Build Waybill's wheel."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY))
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_network(engine: Engine) -> None:
    """A network of 10.0.0.0/8, as the page supposes."""
    try:
        engine("network", "inspect", NETWORK)
    except CommandFailed:
        engine("network", "create", "--subnet", "10.77.0.0/24", NETWORK)
