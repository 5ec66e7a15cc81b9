"""`waybill collect` from files, without a stack."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.support.command import waybill

SETTINGS = "".join(
    f'[[models]]\nname = "{name}"\nlitellm = "openai/{name}"\ninput_price = 1\noutput_price = 2\n'
    for name in ("small", "large")
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "waybill.toml").write_text(SETTINGS)
    (tmp_path / "a.csv").write_text("question;nr\nHow deep?;1\nHow high?;2\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"question;nr\nHow wide?;3\n"))
    return tmp_path


def test_a_glob_and_columns_are_read_as_submit_reads_them(home: Path) -> None:
    asked = ("collect", "*.csv*", "--prompt-column", "question", "--id-column", "nr", "--share", "1")
    planned = waybill(*asked, "--dry-run", "--json", cwd=home)
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["prompts"] == 3
    stored = waybill(*asked, cwd=home)
    assert stored.returncode == 0, stored.stderr
    state = json.loads(waybill("status", stored.stdout.strip(), "--json", cwd=home).stdout)
    assert state["total"] == 6


def test_prompts_are_read_from_stdin_too(home: Path) -> None:
    lines = '{"prompt": "How deep?"}\n{"prompt": "How wide?"}\n'
    stored = waybill("collect", "-", "--share", "1", "--json", cwd=home, stdin=lines)
    assert stored.returncode == 0, stored.stderr
    state = json.loads(waybill("status", json.loads(stored.stdout)["batch_id"], "--json", cwd=home).stdout)
    assert (state["total"], state["source"]) == (4, "stdin")


def test_the_cost_is_told_before_anything_is_bought(home: Path) -> None:
    asked = ("collect", "a.csv", "--prompt-column", "question", "--share", "1")
    planned = json.loads(waybill(*asked, "--dry-run", "--json", cwd=home).stdout)
    assert {name: one["calls"] for name, one in planned["costs"].items()} == {"small": 2, "large": 2}
    body = len('{"messages":[{"content":"How deep?","role":"user"}]}')
    per_answer = (-(-body // 4) * 1 + 200 * 2) / 1e6
    assert planned["costs"]["small"]["cost_usd"] == pytest.approx(2 * per_answer)
    shown = waybill(*asked, cwd=home).stderr
    assert f"4 answers are bought, 0 were paid for before; about ${4 * per_answer:.4f}, at most $" in shown
    assert f"small: 2 calls, about ${2 * per_answer:.4f}" in shown


def test_the_data_of_an_image_cost_its_tokens_and_not_its_characters(home: Path) -> None:
    def cost(size: int) -> float:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * size}}
        message = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}
        (home / "images.jsonl").write_text(json.dumps({"messages": [message]}))
        asked = ("collect", "images.jsonl", "--share", "1", "--dry-run", "--json")
        return float(json.loads(waybill(*asked, cwd=home).stdout)["costs"]["small"]["cost_usd"])

    assert cost(4_000) == pytest.approx(cost(400_000))


def test_a_link_is_followed_only_if_asked_for(home: Path) -> None:
    (home / "link.csv").symlink_to(home / "a.csv")
    asked = ("collect", "link.csv", "--prompt-column", "question", "--share", "1", "--dry-run")
    assert "--follow-links" in waybill(*asked, cwd=home).stderr
    assert waybill(*asked, "--follow-links", cwd=home).returncode == 0


def test_a_name_that_is_no_file_is_that_of_a_batch(home: Path) -> None:
    assert "no batch" in waybill("collect", "batch_0", "--dry-run", cwd=home).stderr
    assert "matches no file" in waybill("collect", "*.jsonl", "--dry-run", cwd=home).stderr


def test_repeats_are_counted_before_and_stored_after(home: Path) -> None:
    asked = ("collect", "a.csv", "--prompt-column", "question", "--share", "1", "--repeat", "3")
    planned = json.loads(waybill(*asked, "--dry-run", "--json", cwd=home).stdout)
    assert (planned["prompts"], planned["repeat"], planned["bought"]) == (2, 3, 12)
    stored = waybill(*asked, cwd=home)
    assert "each answered 3 times" in stored.stderr
    state = json.loads(waybill("status", stored.stdout.strip(), "--json", cwd=home).stdout)
    assert (state["total"], state["duplicates"]) == (12, 0)
    assert waybill(*asked[:-1], "0", cwd=home).returncode == 2


def test_what_to_sample_by_is_checked_and_needs_a_router(home: Path) -> None:
    asked = ("collect", "a.csv", "--prompt-column", "question", "--dry-run", "--by")
    assert "novelty" in waybill(*asked, "beauty", cwd=home).stderr
    assert "--by novelty asks the router" in waybill(*asked, "novelty", cwd=home).stderr
