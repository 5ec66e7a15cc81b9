"""What the stack's Prometheus knows, and what the dashboards ask it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.compose.compose_stack import ComposeStack
from tests.support.paths import REPOSITORY

_FOLDER = REPOSITORY / "deploy" / "monitoring"
_STEP_S = 15


def ask(stack: ComposeStack, path: str, **parameters: object) -> Any:
    """Return the data of an answer of Prometheus's API."""
    url = f"http://{stack.address('prometheus')}:9090/api/v1/{path}?{urlencode(parameters)}"
    with urlopen(url, timeout=60) as response:
        return json.load(response)["data"]


def has_data(stack: ComposeStack, expression: str, *, since: float) -> bool:
    """Whether an expression had a value that is a number at any time since one."""
    window = {"start": since, "end": time.time(), "step": _STEP_S}
    series = ask(stack, "query_range", query=expression, **window)["result"]
    return any(not math.isnan(float(value)) for one in series for _, value in one["values"])


def panels(kind: str) -> Iterator[tuple[str, str]]:
    """Yield each query of the dashboards, `expr` or `rawSql`, with the title of its panel."""
    for file in sorted((_FOLDER / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                if kind in target:
                    yield f"{file.stem}: {panel['title']}", target[kind]


def role_of_grafana(password: str) -> str:
    """Return the script that makes Grafana's role in the store, as psql would run it."""
    return Path(_FOLDER, "grafana-role.sql").read_text().replace(":'password'", f"'{password}'")
