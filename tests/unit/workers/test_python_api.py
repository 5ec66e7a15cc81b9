"""`from waybill import Waybill`: the name that users import, and what importing it costs."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

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


SAMPLE = """
import asyncio
from collections.abc import Iterator

from waybill import AsyncBatch, AsyncWaybill, Batch, InputError, Progress, ResultRecord, UsageError, Waybill


def answers(prompts: list[str]) -> list[str | None]:
    with Waybill(url="https://waybill.example.com", key="sk-wb-x") as waybill:
        batch: Batch = waybill.submit(
            prompts, system="s", temperature=0, max_tokens=9, models=["a"], reuse="30d", budget=1
        )
        state: Progress = batch.wait(timeout=5)
        records: Iterator[ResultRecord] = batch.results(failed=True)
        errors: list[InputError] = batch.input_errors()
        sent: int = batch.retry(budget=2.5)
        assert (state.done, sent, errors)
        return [record.error_code for record in records]


async def later() -> int:
    async with AsyncWaybill() as waybill:
        batch: AsyncBatch = await waybill.submit(["a"], budget=1.0)
        task = asyncio.create_task(batch.status())
        failed = [record.custom_id async for record in batch.results(failed=True)]
        return (await task).total + len(failed)


def wrong(waybill: Waybill, twin: AsyncWaybill) -> None:
    waybill.submit(["a"], max_tokenz=3)
    waybill.submit(["a"], budget="5")
    twin.submit(["a"], max_tokenz=3)
    number: str = waybill.batch().retry()
    raise UsageError(number)
"""


def test_the_types_are_whole_for_a_user_who_checks_strictly(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE)
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = True\n[mypy-pandas.*]\nignore_missing_imports = True\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(settings), "--cache-dir", str(tmp_path)]
    command += ["--follow-imports", "silent", "--no-error-summary", "--hide-error-context", "sample.py"]
    environment = {**os.environ, "MYPYPATH": str(REPOSITORY)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    found = [line.partition(": error: ")[2] for line in ran.stdout.splitlines() if ": error: " in line]
    assert [one.partition('"')[0].strip() for one in found] == [
        "Unexpected keyword argument",
        "Argument",
        "Unexpected keyword argument",
        "Incompatible types in assignment (expression has type",
    ], ran.stdout + ran.stderr
