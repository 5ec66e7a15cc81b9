"""`from waybill import Waybill`: the name that users import, and what importing it costs."""

import subprocess
import sys
import tomllib

import pytest

from tests.support.paths import REPOSITORY

HEAVY = {"workers", "tasks", "router_core", "numpy", "pydantic", "sqlalchemy"}


def loaded_by(code: str) -> set[str]:
    """Run `code` in a fresh interpreter; return the modules that it has imported."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    return set(
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout.split()
    )


def test_the_client_is_one_class_under_both_names() -> None:
    import waybill
    import workers
    from workers.batch import Batch
    from workers.client import Waybill

    assert waybill.Waybill is workers.Waybill is Waybill
    assert waybill.Batch is Batch
    with pytest.raises(AttributeError, match="Wayward"):
        _ = waybill.Wayward


def test_importing_the_package_alone_loads_nothing_else() -> None:
    alone = loaded_by("import waybill")
    assert "waybill" in alone
    assert {name.partition(".")[0] for name in alone} & HEAVY == set()


def test_the_client_is_loaded_without_the_command_line() -> None:
    with_client = loaded_by("from waybill import Waybill")
    assert "workers.client" in with_client
    assert {name for name in with_client if name.startswith(("workers.cli.", "typer"))} == set()


def test_the_package_is_installed_with_its_types() -> None:
    tools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "waybill" in tools["packages"]["find"]["include"]
    assert tools["package-data"]["waybill"] == ["py.typed"]
    assert (REPOSITORY / "waybill" / "py.typed").exists()


def test_every_error_of_the_client_is_importable_and_those_of_workers_are_of_waybill() -> None:
    import waybill

    assert issubclass(waybill.ServerError, waybill.WaybillError)
    assert {"FormatError", "OptionsError", "ServerError"} <= set(waybill.__all__)
    assert all(getattr(waybill, name) for name in waybill.__all__)
