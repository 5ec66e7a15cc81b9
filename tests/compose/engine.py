"""The container engine of this machine: a client that can use BuildKit, and a Compose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: that of tests.support would be loaded before pytest can rewrite the assertions there
REPOSITORY = Path(__file__).resolve().parents[2]
#: Docker's own client has BuildKit up to version 22; from 23 on it needs the plugin buildx.
_NEEDS_BUILDX = 23
#: The first daemon that reads `RUN --mount` without a frontend from a registry is 20.10.
_OLDEST_DAEMON = 20
_OUTPUT_CHARS = 6_000


class Missing(Exception):
    """Something that the test needs is not here; the message says what."""


class CommandFailed(Exception):
    """A command of the engine ended with an error; the message holds its last output."""


class TookTooLong(CommandFailed):
    """A command of the engine did not end in time."""


def run(
    *command: str,
    timeout_s: float = 300,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    allowed: tuple[int, ...] = (0,),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        timeout_s: How long it may take.
        environment: Variables beside those of this process.
        text: What it reads on its standard input.
        allowed: Exit statuses that are no error.

    Raises:
        CommandFailed: It ended with another status, or did not end in time (`TookTooLong`).
    """
    try:
        ended = subprocess.run(
            command, input=text or "", capture_output=True, text=True, timeout=timeout_s,
            env={**os.environ, "DOCKER_BUILDKIT": "1", **(environment or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TookTooLong(f"{' '.join(command)}: not done after {timeout_s:.0f} s") from error
    if ended.returncode not in allowed:
        output = (ended.stdout + ended.stderr)[-_OUTPUT_CHARS:]
        raise CommandFailed(f"{' '.join(command)}: exit status {ended.returncode}\n{output}")
    return ended


def _output(*command: str) -> str:
    """What a command prints, "" where there is no such command or it fails."""
    try:
        return run(*command, timeout_s=30).stdout.strip()
    except (CommandFailed, OSError):
        return ""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers.

    Attributes:
        cli: The path of `docker`.
        compose: The words that begin a command of Compose.
        version: Compose's version.
        reads_configs: Whether Compose mounts `configs`; version 1 leaves them out.
    """

    cli: str
    compose: tuple[str, ...]
    version: str
    reads_configs: bool

    def __call__(self, *arguments: str, timeout_s: float = 300, text: str | None = None) -> str:
        """Run `docker ARGUMENTS`; returns what it printed."""
        return run(self.cli, *arguments, timeout_s=timeout_s, text=text).stdout.strip()

    def has_image(self, name: str) -> bool:
        """Whether an image of this name is here."""
        return bool(_output(self.cli, "image", "inspect", "--format", "{{.Id}}", name))


def find_engine() -> Engine:
    """Find Docker and Compose, version 2 or 1.

    Raises:
        Missing: There is none, it does not answer, or it cannot build.
    """
    clis = list(_clis())
    if not clis:
        raise Missing("no docker on the PATH")
    answering = {cli: version for cli in clis if (version := _server_version(cli))}
    if not answering:
        raise Missing("no Docker daemon answers")
    oldest = min(answering.values(), key=_major)
    if _major(oldest) < _OLDEST_DAEMON:
        raise Missing(f"the Docker daemon is {oldest}, and the Dockerfile needs {_OLDEST_DAEMON}.10")
    builders = [cli for cli in answering if _builds(cli)]
    if not builders:
        raise Missing("docker has no BuildKit: the plugin buildx is not installed")
    return _with_compose(builders[0])


def _clis() -> Iterator[str]:
    folders = os.environ.get("PATH", "").split(os.pathsep)
    found = (shutil.which("docker", path=folder) for folder in folders)
    return iter(dict.fromkeys(str(Path(cli)) for cli in found if cli))


def _server_version(cli: str) -> str:
    return _output(cli, "info", "--format", "{{.ServerVersion}}")


def _major(version: str) -> int:
    """The first number of a version; of one that has none ("dev"), that of a new one."""
    number = re.match(r"\d+", version)
    return int(number[0]) if number else _NEEDS_BUILDX


def _builds(cli: str) -> bool:
    version = _output(cli, "version", "--format", "{{.Client.Version}}")
    return _major(version) < _NEEDS_BUILDX or bool(_output(cli, "buildx", "version"))


def _with_compose(cli: str) -> Engine:
    for words in ((cli, "compose"), ("docker-compose",)):
        version = _output(*words, "version", "--short").removeprefix("v")
        if version:
            return Engine(cli, words, version, reads_configs=not version.startswith("1."))
    raise Missing("no Docker Compose: neither `docker compose` nor `docker-compose`")
