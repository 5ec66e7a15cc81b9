"""Damaged files cause no traceback and no hang. `make fuzz` runs all cases; by default a small part runs."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.fuzzing.files import fuzz_caches, fuzz_manifests, fuzz_settings, summary_line
from tests.faults.fuzzing.inputs import fuzz_inputs

FULL = os.environ.get("FUZZ") == "full"
SEED = int(os.environ.get("FUZZ_SEED", "1"))
Fuzz = Callable[..., Counter[str]]


def report(what: str, fuzz: Fuzz, folder: Path, **number: int) -> Counter[str]:
    started = time.monotonic()
    counts = fuzz(folder, **number, seed=SEED)
    print(f"\n{summary_line(what, counts, seed=SEED)} in {time.monotonic() - started:.0f} s")
    return counts


@pytest.mark.timeout(900)
def test_every_generated_line_becomes_a_request_or_an_error_with_its_reason(tmp_path: Path) -> None:
    counts = report("fuzz_inputs", fuzz_inputs, tmp_path, lines=120_000 if FULL else 2_000)
    assert [name for name in ("requests", "errors", "files refused") if not counts[name]] == [], counts
    assert counts["prompts quoted"] == 0, counts


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("fuzz", "full", "part"),
    [(fuzz_manifests, 4_000, 30), (fuzz_caches, 8_000, 200), (fuzz_settings, 3_000, 60)],
)
def test_every_damaged_file_is_refused_or_read_as_before(
    fuzz: Fuzz, full: int, part: int, tmp_path: Path
) -> None:
    counts = report(fuzz.__name__, fuzz, tmp_path, mutations=full if FULL else part)
    assert counts["refused"] + counts["dropped"] > 0, counts
    assert counts["refused without a name"] == 0, counts
