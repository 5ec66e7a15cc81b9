"""docs/notebooks/first_batch.ipynb runs as it stands, in a kernel of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.support.paths import REPOSITORY
from tests.support.stack import Stack

NOTEBOOK = REPOSITORY / "docs/notebooks/first_batch.ipynb"
_TIMEOUT_S = 600


def executed(stack: Stack, folder: Path) -> Any:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_TIMEOUT_S,
        startup_timeout=_TIMEOUT_S,
        resources={"metadata": {"path": str(folder)}},
    )
    environment = {**stack.environment, "PYTHONPATH": str(REPOSITORY), "IPYTHONDIR": str(folder)}
    return client.execute(env=environment)


def outputs(notebook: Any) -> list[str]:
    """What each cell of code has shown, as text."""
    return ["".join(map(_text, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


def _text(output: Any) -> str:
    return str(output["text"] if "text" in output else output.get("data", {}).get("text/plain", ""))


def test_the_notebook_runs_as_it_stands_and_its_bar_reaches_the_end(stack: Stack, tmp_path: Path) -> None:
    notebook = executed(stack, tmp_path)
    _, _, submitted, waited, table, failed, found = outputs(notebook)
    assert submitted.startswith("'batch_")
    assert "3 of 4 answered" in waited
    assert all(ticket in table for ticket in ("T-101", "T-102", "T-103"))
    assert failed == "T-104 bad_request\n"
    assert found == "'completed'"
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    (bar,) = [one["state"] for one in state.values() if one["model_name"] == "IntProgressModel"]
    (text,) = [one["state"] for one in state.values() if one["model_name"] == "HTMLModel"]
    assert (bar["value"], bar["max"], bar["bar_style"]) == (4, 4, "warning")
    assert "4 of 4 done, 1 failed" in text["value"]


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in cells] == [([], None)] * len(cells)
