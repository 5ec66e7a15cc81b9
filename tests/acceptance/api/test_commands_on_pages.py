"""The commands of the how-to pages run as they stand, at a real stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY
from tests.support.stack import Stack

_TIMEOUT_S = 600


def block_with(page: str, command: str) -> str:
    """The block of commands on a page that holds this one."""
    blocks = re.findall(
        r"(?:^ {4}.*\n)+", (REPOSITORY / "docs/howto" / page).read_text("utf-8"), re.MULTILINE
    )
    (found,) = [block for block in blocks if command in block]
    return found


def run(block: str, stack: Stack, folder: Path) -> str:
    """Run commands and return what they print."""
    (folder / "waybill").write_text(f'#!/bin/sh\nexec {sys.executable} -m workers.cli "$@"\n')
    (folder / "waybill").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euc", block],
        cwd=folder,
        env={**stack.environment, "PATH": path, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_keys_are_made_rotated_and_revoked(stack: Stack, tmp_path: Path) -> None:
    block = block_with("budgets-and-keys.md", "waybill keys create interns")
    shown = run(block.replace("--models small", "--models sim-nano"), stack, tmp_path)
    assert len(re.findall(r"sk-wb-\w+", shown)) >= 2
    assert "key.revoke" in shown


def test_a_batch_is_archived_and_put_back_and_its_texts_are_deleted(stack: Stack, tmp_path: Path) -> None:
    batch_id = stack.submit(["a"])
    stack.wait(batch_id)
    run(block_with("retention.md", "waybill archive").replace("BATCH", batch_id), stack, tmp_path)
    assert list((tmp_path / "archive").rglob("*.parquet"))
    run(f"waybill archive --restore archive/{batch_id}", stack, tmp_path)
    run(f"waybill data delete {batch_id}", stack, tmp_path)


def test_a_batch_is_estimated_before_it_is_paid(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a"}\n')
    block = block_with("budgets-and-keys.md", "--dry-run")
    assert "1 requests" in run(block, stack, tmp_path)
