"""From prompts to labels on real workers: collect, judge, export; and judge workers that are killed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from router_core.data.labelled_prompts import LabelledPrompt, read_labelled
from tasks.store.learning.tables import judged_prompt, sampled_answer, sampled_prompt, verdict
from tasks.store.tables import attempt, outcome
from tests.support.comparisons import assert_batch
from tests.support.holding import Hold
from tests.support.invariants import check_batch
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from workers.demo.data.prompts import write_prompts
from workers.simulator import SimulatorProcess
from workers.simulator.answers import HEDGE

PROMPTS = 20
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
    assert process.process.wait(400) == 0, process.log.read_text()
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
    """The run's calls by how they ended."""
    query = select(attempt.c.state).where(attempt.c.batch_no == stack.row(run)["no"])
    with stack.store.read() as connection:
        return Counter(connection.execute(query).scalars())


def share_of_good_over_poor(stack: Stack, rows: list[LabelledPrompt]) -> float:
    """Of a good and a poor answer to the same prompt, how often the good one has the higher score."""
    query = (
        select(sampled_prompt.c.custom_id, sampled_answer.c.model, outcome.c.body)
        .join(sampled_answer, sampled_answer.c.prompt_id == sampled_prompt.c.id)
        .join(outcome, outcome.c.request_id == sampled_answer.c.request_id)
    )
    with stack.store.read() as connection:
        good = {(row.custom_id, row.model): HEDGE not in row.body for row in connection.execute(query)}
    higher = [
        row.scores[one] > row.scores[other]
        for row in rows
        for one, other in permutations(row.scores, 2)
        if good[row.id, one] and not good[row.id, other]
    ]
    return sum(higher) / len(higher)


def states_of(stack: Stack, run: str) -> set[str]:
    query = select(judged_prompt.c.state).where(judged_prompt.c.batch_no == stack.row(run)["no"])
    with stack.store.read() as connection:
        return set(connection.execute(query).scalars())


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
    totals = check_batch(stack.store, run)
    assert_batch(totals.row, purpose="judge")

    rows = exported(stack, tmp_path)
    assert len(rows) > PROMPTS * 0.8, "near-duplicates are thinned out, and nothing else"
    sums = {row.id: sum(row.scores.values()) for row in rows}
    assert sums == pytest.approx(dict.fromkeys(sums, 2.0), abs=1e-4)
    assert {row.id: row.costs for row in rows if set(row.costs or {}) != set(row.scores)} == {}
    assert share_of_good_over_poor(stack, rows) > 0.9, "labels follow the simulator's truth"

    report = json.loads(command(stack, "labels", "quality", "--json"))
    findings = report["findings"]
    assert [f for f in findings if f.startswith("sim-writer: order bias")] != [], findings
    assert [f for f in findings if f.startswith("sim-coder")] == []


def test_judge_workers_that_are_killed_judge_no_pair_twice_and_miss_none(
    stack: Stack, tmp_path: Path
) -> None:
    collected = command(stack, "collect", str(prompts_file(tmp_path, seed=2)), "--share", "1", "--wait")
    stack.simulator.client.reset()
    judge = next(w for w in stack.workers if w.name.endswith("judge") and w.process.poll() is None)
    with Hold(stack.simulator.client) as hold:
        hold.of_model("*")
        run = command(stack, "judge", collected)
        hold.await_calls(1)
        judge.kill()
        stack.expire_leases()
        # The next one dies holding prompts, in the middle of its second look; its successor must finish.
        failpoint = {"WAYBILL_FAILPOINT": f"after_claim:kill:2:{tmp_path / 'latch'}"}
        stack.await_ready(stack.start("judge", environment=failpoint))
        wait_until((tmp_path / "latch").exists, timeout_s=200)
        wait_until(stack.expire_leases, timeout_s=200)
    stack.wait(run)

    check_batch(stack.store, run)
    counts, calls = asked(stack, run), calls_of(stack, run)
    assert {call: times for call, times in counts.items() if times != 1} == {}, "asked more than once"
    pairs = Counter((key[0], frozenset(key[2:4])) for key in counts if key[-1] == 1)
    incomplete = {pair: made for pair, made in pairs.items() if made != 2 * len(JUDGES)}
    assert incomplete == {}, "a pair goes to every judge in both orders"
    assert states_of(stack, run) == {"settled"}, "and no prompt was left out"
    assert calls["unknown"] == 0, "a judge worker calls nobody: no call was lost with it"
    assert calls.total() == len(counts) == stack.simulator.client.stats()["billed"]
