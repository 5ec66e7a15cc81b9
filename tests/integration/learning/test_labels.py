"""Verdicts and people's labels become labelled prompts."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from router_core.data.labelled_prompts import read_labelled
from router_core.judging.verdicts import HUMAN, Judgement, Verdict
from tasks.learning import label_import, labels
from tasks.store.engine import Store
from tasks.store.tables import attempt
from tests.support import biased_judges, learning
from tests.support.comparisons import assert_fields

F, S, T = Verdict.FIRST, Verdict.SECOND, Verdict.TIE
TEXTS = ["Name three primes.", "Write a haiku about rain."]


@pytest.fixture
def sampled(store: Store, tmp_path: Path) -> list[int]:
    """Two prompts with answers; the larger model's answers are longer and cost more."""
    settings = learning.settings(tmp_path)
    learning.answer_all(store, learning.collect(store, settings, TEXTS, category="other"))
    return sorted(learning.samples(store))


def imported(store: Store, tmp_path: Path, *rows: Any, annotator: str = "ann") -> tuple[int, int, list[str]]:
    file, errors = tmp_path / "people.jsonl.gz", list[str]()
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.writelines(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    counts = label_import.import_human(
        store, file, annotator=annotator, on_error=lambda line, reason: errors.append(f"{line}: {reason}")
    )
    return *counts, errors


def test_verdicts_become_labelled_prompts_that_training_reads(
    store: Store, sampled: list[int], tmp_path: Path
) -> None:
    first = sampled[0]
    learning.store_verdicts(
        store,
        [
            Judgement(first, "j", ("large", "small"), F, S),
            Judgement(first, "j", ("large", "medium"), F, F),
            Judgement(first, "j", ("medium", "small"), T, T),
        ],
    )
    file = tmp_path / "labels.jsonl"
    file.write_text("".join(json.dumps(labels.row_of(one)) + "\n" for one in labels.export(store)))
    (row,) = read_labelled(file)
    assert row.prompt in TEXTS
    assert row.category == "other"
    assert row.scores == {"large": 0.75, "medium": 0.5, "small": 0.25}
    assert row.costs == {"large": 5e-6, "medium": 6e-6, "small": 5e-6}
    assert row.tokens is None


def test_labels_tell_the_lengths_of_answers_that_the_provider_told(store: Store, sampled: list[int]) -> None:
    first = sampled[0]
    learning.store_verdicts(store, [Judgement(first, "j", ("large", "small"), F, S)])
    told = learning.samples(store)[first]["large"]
    with store.write() as connection:
        connection.execute(update(attempt).where(attempt.c.request_id == told).values(completion_tokens=321))
    (row,) = labels.export(store)
    assert row.tokens == {"large": 321}
    assert labels.row_of(row)["tokens"] == {"large": 321}


def test_only_the_wanted_batches_are_exported(store: Store, sampled: list[int], tmp_path: Path) -> None:
    other = learning.collect(store, learning.settings(tmp_path), TEXTS[:1])
    newest = max(learning.samples(store))
    for prompt in (*sampled, newest):
        learning.store_verdicts(store, [Judgement(prompt, "j", ("large", "small"), F, S)])
    assert len(list(labels.export(store))) == 3
    assert len(list(labels.export(store, [other]))) == 1


def test_a_repeated_call_replaces_an_invalid_reply(store: Store, sampled: list[int]) -> None:
    pair = ("large", "small")
    learning.store_verdicts(store, [Judgement(sampled[0], "j", pair, Verdict.NONE, S)])
    assert list(labels.export(store)) == []
    learning.store_verdicts(store, [Judgement(sampled[0], "j", pair, F, None)], number=2)
    learning.store_verdicts(store, [Judgement(sampled[0], "j", pair, Verdict.NONE, None)], number=3)
    (row,) = labels.export(store)
    assert row.scores == {"large": 1.0, "small": 0.0}, "an invalid reply does not replace a verdict"


def test_peoples_scores_and_preferences_are_imported(
    store: Store, sampled: list[int], tmp_path: Path
) -> None:
    read, new, errors = imported(
        store,
        tmp_path,
        {"prompt": f"  {TEXTS[0].upper()} ", "scores": {"large": 9, "small": 3, "medium": 3}},
        {
            "prompt": "Asked elsewhere",
            "id": "x-1",
            "preference": {"first": "small", "second": "large", "winner": "first"},
        },
    )
    assert (read, new, errors) == (4, 4, [])
    found = {row.prompt: row.scores for row in labels.export(store)}
    assert found[TEXTS[0]] == {"large": 1.0, "medium": 0.25, "small": 0.25}
    assert found["Asked elsewhere"] == {"large": 0.0, "small": 1.0}
    again = imported(store, tmp_path, {"prompt": TEXTS[0], "scores": {"large": 3, "small": 9}})
    assert again[:2] == (1, 1), "the latest label counts"
    assert imported(store, tmp_path, {"prompt": TEXTS[0], "scores": {"large": 3, "small": 9}})[:2] == (1, 0)


def test_the_majority_of_several_people_counts_as_one_annotator(
    store: Store, sampled: list[int], tmp_path: Path
) -> None:
    for person, winner in (("ann", "first"), ("bob", "first"), ("cid", "second")):
        preference = {"first": "large", "second": "small", "winner": winner}
        imported(store, tmp_path, {"prompt": TEXTS[0], "preference": preference}, annotator=person)
    (row,) = labels.export(store)
    assert row.scores == {"large": 1.0, "small": 0.0}


def test_a_bad_line_is_named_with_its_reason_and_loses_nothing_else(store: Store, tmp_path: Path) -> None:
    good = {"prompt": "secret text", "scores": {"a": 1, "b": 2}}
    bad = {"prompt": "secret text", "scores": {"a": 1}}
    read, new, errors = imported(store, tmp_path, good, "{nonsense\n", bad, good)
    assert (read, new) == (2, 1)
    assert errors == ["2: not JSON", "3: 'scores' must be an object of at least two models' numbers"]


def test_biased_judges_are_found_from_the_store(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path, *biased_judges.STRENGTHS, "first", "length", "garbled")
    judges = {
        "honest": biased_judges.honest,
        "first": biased_judges.likes_the_first,
        "garbled": biased_judges.garbled,
    }
    learning.store_verdicts(store, sampled_as(store, settings, biased_judges.judged(30, judges)))
    report = labels.quality(store, settings)
    judges_accused = [finding.partition(":")[0] for finding in report.findings]
    assert [f for f in report.findings if f.startswith("first: order bias")] != [], report.findings
    assert "honest" not in judges_accused
    assert report.to_dict()["pairs"] == 180


def sampled_as(store: Store, settings: Any, judgements: list[Judgement]) -> list[Judgement]:
    """The judgements, on prompts that the store has sampled."""
    count = 1 + max(int(one.prompt) for one in judgements)
    words = ["apple", "river", "stone", "cloud", "letter", "market", "window", "garden", "engine", "prime"]
    texts = [f"{words[n % 10]} {words[n // 10]} number {n}: which is it?" for n in range(count)]
    learning.collect(store, settings, texts)
    ids = sorted(learning.samples(store))
    assert len(ids) == count
    return [
        Judgement(ids[int(j.prompt)], j.judge, j.pair, j.forward, j.backward, j.longer) for j in judgements
    ]


def test_the_report_compares_judges_with_people(store: Store, sampled: list[int], tmp_path: Path) -> None:
    learning.store_verdicts(store, [Judgement(prompt, "j", ("large", "small"), S, F) for prompt in sampled])
    preference = {"first": "large", "second": "small", "winner": "first"}
    imported(store, tmp_path, *({"prompt": text, "preference": preference} for text in TEXTS))
    report = labels.quality(store, learning.settings(tmp_path))
    assert [one.judge for one in report.judges] == ["j"]
    assert_fields(report.judges[0].human_agreement, value=0.0, total=2)
    assert HUMAN not in report.to_dict()["judges"][0]["judge"]
