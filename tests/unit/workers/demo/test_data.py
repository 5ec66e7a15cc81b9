"""The demo's data are realistic and reproducible, and agree with the simulator's documented strengths."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

from tasks.formats.reading import read_requests
from tasks.formats.requests import InputError, ParsedRequest
from workers.demo.data.batch import write_demo_batch
from workers.demo.data.labelled import LABELLED_PATH, LABELLED_SEED, write_labelled
from workers.demo.data.prompts import CATEGORIES
from workers.simulator import default_config
from workers.simulator.categories import guess_category
from workers.simulator.requests import count_tokens


@pytest.fixture(scope="module")
def labelled() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LABELLED_PATH.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_batch(tmp_path_factory.mktemp("demo") / "batch.jsonl").path


def prompts(requests: Iterable[dict[str, Any]]) -> list[str]:
    return [request["messages"][-1]["content"] for request in requests]


def bodies(path: Path) -> list[dict[str, Any]]:
    lines = [line for line in path.read_bytes().splitlines() if line.startswith(b'{"custom_id": "demo-')]
    return [json.loads(line)["body"] for line in lines]


def test_writing_the_labelled_prompts_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_labelled(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == LABELLED_PATH.read_bytes()


def test_labelled_prompts_are_distinct_short_and_spread_over_the_categories(
    labelled: list[dict[str, Any]],
) -> None:
    texts = [row["prompt"] for row in labelled]
    lengths = [count_tokens(text) for text in texts]
    assert len(set(texts)) == len(labelled) == 400
    assert Counter(row["category"] for row in labelled) == dict.fromkeys(CATEGORIES, 80)
    assert 25 <= median(lengths) <= 50
    assert 120 <= max(lengths) <= 220


def test_scores_follow_the_documented_strengths(labelled: list[dict[str, Any]]) -> None:
    for model in default_config().models:
        for category in CATEGORIES:
            scores = [row["scores"][model.name] for row in labelled if row["category"] == category]
            assert mean(scores) == pytest.approx(model.strengths[category], abs=0.06), (model.name, category)


def test_costs_are_positive_and_rise_with_the_price(labelled: list[dict[str, Any]]) -> None:
    for row in labelled:
        assert 0 < row["costs"]["sim-nano"] < row["costs"]["sim-large"] < 0.01


def test_the_simulator_sees_the_category_of_nearly_every_labelled_prompt(
    labelled: list[dict[str, Any]],
) -> None:
    assert mean(guess_category(row["prompt"]) == row["category"] for row in labelled) > 0.98


def test_a_demo_batch_has_its_lines_duplicates_and_named_models(batch: Path) -> None:
    found = bodies(batch)
    distinct = {json.dumps(body, sort_keys=True) for body in found}
    named = [body for body in found if body["model"] != "auto"]
    assert len(batch.read_bytes().splitlines()) == 1000
    # The line that repeats a custom_id starts like a good one.
    assert len(found) - 1 - len(distinct) == 80
    assert 5 <= len(named) <= 40
    assert 200 <= sum("max_tokens" in body for body in found) <= 400


def test_no_prompt_of_a_batch_was_trained_on_whatever_its_seed(
    tmp_path: Path, labelled: list[dict[str, Any]]
) -> None:
    for seed in (0, LABELLED_SEED):
        path = write_demo_batch(tmp_path / "batch.jsonl", seed=seed).path
        assert set(prompts(bodies(path))) & {row["prompt"] for row in labelled} == set()


def test_the_same_seed_writes_the_same_batch(batch: Path, tmp_path: Path) -> None:
    assert write_demo_batch(tmp_path / "same.jsonl").path.read_bytes() == batch.read_bytes()
    assert write_demo_batch(tmp_path / "other.jsonl", seed=1).path.read_bytes() != batch.read_bytes()


def test_a_batch_too_small_for_its_bad_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 20"):
        write_demo_batch(tmp_path / "small.jsonl", n=19)


def test_the_reader_finds_the_bad_lines_and_no_others(batch: Path) -> None:
    models = [model.name for model in default_config().models]
    read = list(read_requests(batch, models=models))
    errors = [item for item in read if isinstance(item, InputError)]
    ids = Counter(item.custom_id for item in read if isinstance(item, ParsedRequest))
    assert len({error.code for error in errors}) == len(errors) == 5
    # The sixth repeats a custom_id, which only the store can see.
    assert [count for count in ids.values() if count > 1] == [2]
