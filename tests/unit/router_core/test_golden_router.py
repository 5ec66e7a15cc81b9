"""A router that version 0.1.0 saved is loaded, decides as it did, and is saved again byte for byte."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from router_core.router import Router

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
RECORD = json.loads((GOLDEN / "router.json").read_text())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 has it
    with tarfile.open(GOLDEN / "router.tar.gz") as archive:
        archive.extractall(folder, **options)
    return folder / "router_golden"


@pytest.mark.parametrize("case", RECORD["cases"], ids=lambda case: str(case["options"]))
def test_a_router_of_the_first_version_decides_as_it_did(saved: Path, case: dict) -> None:
    prompts = RECORD["prompts"]
    decisions = Router.load(saved).route(
        np.array(RECORD["vectors"], dtype=np.float32),
        prompts,
        models=RECORD["models"],
        costs=np.tile(RECORD["costs"], (len(prompts), 1)),
        **case["options"],
    )
    found = list(decisions.rows([row["id"] for row in case["decisions"]]))
    assert [_exact(row) for row in found] == [_exact(row) for row in case["decisions"]]
    for row, recorded in zip(found, case["decisions"], strict=True):
        assert row["predicted"] == pytest.approx(recorded["predicted"], abs=2e-4)
        assert row["gap"] == pytest.approx(recorded["gap"], abs=2e-4)


@pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="zipfile wrote other headers until then")
def test_a_router_of_the_first_version_is_saved_again_byte_for_byte(saved: Path, tmp_path: Path) -> None:
    router = Router.load(saved)
    assert router.version == router.version_if_saved() == RECORD["version"]
    router.save(tmp_path / "again")
    assert _contents(tmp_path / "again") == _contents(saved)


def _exact(row: dict) -> dict:
    return {key: value for key, value in row.items() if key not in ("predicted", "gap")}


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
