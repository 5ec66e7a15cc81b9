"""Write docs/conformance.md: every call of every client against a real server.

    python docs/generate_conformance.py

It needs an index of packages for the clients that are not installed here, and Node for one of them.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import api  # noqa: E402
from tests.support.api_clients import CLIENTS  # noqa: E402
from tests.support.stack import Stack  # noqa: E402
from workers.simulator import SimulatorProcess, default_config  # noqa: E402

_INTRODUCTION = """\
# Conformance

What the official clients get from the [API server](api.md): each row is a set of calls, made by the client's
own methods against a real server with workers and simulated models (`tests/acceptance/api/clients/`). Written
by `python docs/generate_conformance.py`; `tests/acceptance/api/test_clients.py` makes the same calls.

"ok": the calls did what OpenAI's documentation says. "-": not among the calls of this client's script.
"""


def main() -> None:
    """Run the clients and write the page."""
    results = _results()
    calls = list(dict.fromkeys(call for found in results.values() for call in found))
    rows = ["| Calls | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    rows += [
        "| " + " | ".join([call, *(found.get(call, "-") for found in results.values())]) + " |"
        for call in calls
    ]
    (ROOT / "docs" / "conformance.md").write_text("\n".join([_INTRODUCTION, *rows]) + "\n")


def _results() -> dict[str, dict[str, str]]:
    config = replace(default_config(), latency_scale=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatorProcess(config) as simulator,
        Stack(Path(folder) / "stack", simulator=simulator) as stack,
    ):
        stack.start("upkeep")
        stack.await_ready(stack.start("route"), stack.start("dispatch"))
        server = api.start_api(stack)
        found = {one.name: one.run(stack, server) for one in CLIENTS}
    return {
        f"{name.removesuffix(' (3)')} {one.version}": one.calls
        for name, one in found.items()
        if one is not None
    }


if __name__ == "__main__":
    main()
