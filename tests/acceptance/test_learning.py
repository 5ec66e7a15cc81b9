"""From prompts to labels on real workers: collect, judge, export; and a judge worker that is killed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from router_core.labelled import LabelledPrompt, read_labelled
from tasks.store.learning.tables import verdict
from tasks.store.tables import attempt
from tests.support.invariants import check_batch
from tests.support.stack import Stack
from workers.demo_data.prompts import write_prompts
from workers.simulator import SimulatorProcess

PROMPTS = 30
JUDGES = ["sim-nano", "sim-coder", "sim-writer"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorProcess) -> Iterator[Stack]:
    """A dispatch and a judge worker."""
    settings: dict[str, dict[str, Any]] = {"judge": {"models": JUDGES}}
    with Stack(tmp_path_factory.mktemp("learning"), simulator=simulator, settings=settings) as stack:
        stack.start("upkeep")
        stack.await_ready(stack.start("dispatch"), stack.start("judge"))
        yield stack


def command(stack: Stack, *arguments: str) -> str:
    """Run a command to its end; returns what it printed: a batch's id, or JSON."""
    process = stack.run(*arguments)
    assert process.process.wait(120) == 0, process.log.read_text()
    lines = process.log.read_text().splitlines()
    return next((line for line in lines if re.fullmatch(r"batch_\w+|{.*}", line)), "")


def prompts_file(folder: Path, seed: int) -> Path:
    file = folder / "prompts.jsonl"
    rows = ({"prompt": prompt.text} for prompt in islice(write_prompts(seed), PROMPTS))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def exported(stack: Stack, folder: Path) -> list[LabelledPrompt]:
    command(stack, "labels", "export", "-o", str(folder / "labels.jsonl"))
    return list(read_labelled(folder / "labels.jsonl"))


def calls_of(stack: Stack, run: str) -> Counter[str]:
    query = select(attempt.c.state).where(attempt.c.batch_no == stack.row(run)["no"])
    with stack.store.read() as connection:
        return Counter(connection.execute(query).scalars())


def asked(stack: Stack, run: str) -> Counter[tuple[Any, ...]]:
    columns = [verdict.c[name] for name in ("prompt_id", "judge", "first", "second", "number")]
    query = select(*columns).where(verdict.c.batch_no == stack.row(run)["no"])
    with stack.store.read() as connection:
        return Counter(tuple(row) for row in connection.execute(query))


def test_from_prompts_to_labels_and_a_report_on_the_judges(stack: Stack, tmp_path: Path) -> None:
    stack.simulator.client.reset()
    stack.simulator.client.behave("sim-writer", judging={"order_bias": 0.5})
    source = str(prompts_file(tmp_path, seed=1))
    collected = command(stack, "collect", source, "--share", "1", "--budget", "2", "--wait")
    check_batch(stack.store, collected)
    run = command(stack, "judge", collected, "--budget", "5", "--wait")
    books = check_batch(stack.store, run)
    assert books.row["purpose"] == "judge"

    rows = exported(stack, tmp_path)
    assert len(rows) > PROMPTS * 0.8, "near-duplicates are thinned out, and nothing else"
    assert all(sum(row.scores.values()) == pytest.approx(2.0, abs=1e-4) for row in rows)
    assert all(set(row.costs or {}) == set(row.scores) for row in rows)
    means = {model: sum(row.scores[model] for row in rows) for model in rows[0].scores}
    assert max(means, key=lambda model: means[model]) == "sim-large", "the simulator's documented best"

    report = json.loads(command(stack, "labels", "quality", "--json"))
    assert any(f.startswith("sim-writer: order bias") for f in report["findings"]), report["findings"]
    assert not any(f.startswith("sim-coder") for f in report["findings"]), report["findings"]


def test_a_judge_worker_that_is_killed_judges_no_pair_twice_and_misses_none(
    stack: Stack, tmp_path: Path
) -> None:
    stack.simulator.client.reset()
    source = str(prompts_file(tmp_path, seed=2))
    collected = command(stack, "collect", source, "--share", "1", "--wait")
    run = command(stack, "judge", collected, "--all-pairs")
    worker = next(w for w in stack.workers if w.name.endswith("judge") and w.process.poll() is None)
    stack.wait(run, until=lambda row: row["calls"] > 0)
    worker.kill()
    stack.await_ready(stack.start("judge"))
    stack.wait(run)

    check_batch(stack.store, run)
    counts, calls = asked(stack, run), calls_of(stack, run)
    assert set(counts.values()) == {1}, "no judge was asked the same twice"
    first_asked = [key for key in counts if key[-1] == 1]
    prompts = {key[0] for key in first_asked}
    assert len(first_asked) == len(prompts) * 6 * 2 * len(JUDGES), "every pair, both orders, every judge"
    assert calls["unknown"] == 0, "a judge worker calls nobody: no call was lost with it"
    assert calls.total() == len(counts)
    assert calls.total() == sum(one["calls"] for one in stack.simulator.client.billed().values()) - 4 * len(
        prompts
    )
