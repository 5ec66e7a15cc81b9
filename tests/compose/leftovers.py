"""Removes what a run left that was killed: its containers would start again with the engine."""

from __future__ import annotations

import re
from pathlib import Path

from tests.compose.engine import Engine

PREFIX = "waybill-test"
_LABEL = "com.docker.compose.project"


def remove_leftovers(engine: Engine) -> None:
    """Remove containers, networks and volumes of runs whose process does not live any more."""
    for project in _projects(engine):
        number = re.fullmatch(rf"{PREFIX}-.*-(\d+)", project)
        if number and not Path("/proc", number[1]).exists():
            remove_project(engine, project)


def remove_project(engine: Engine, project: str) -> None:
    """Remove all that carries a project's label."""
    kinds = (
        (("ps", "--all"), ("rm", "--force")),
        (("network", "ls"), ("network", "rm")),
        (("volume", "ls"), ("volume", "rm")),
    )
    for listed, removed in kinds:
        found = engine(*listed, "--quiet", "--filter", f"label={_LABEL}={project}").split()
        if found:
            engine(*removed, *found)


def _projects(engine: Engine) -> set[str]:
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    template = f'{{{{.Label "{_LABEL}"}}}}'
    return {
        name
        for kind in kinds
        for name in engine(*kind, "--filter", f"label={_LABEL}", "--format", template).splitlines()
    }
