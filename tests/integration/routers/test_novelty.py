"""Labels that are collected by novelty make unfamiliar prompts familiar."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from router_core.monitoring.familiarity import Familiarity
from router_core.router import Router
from tasks.learning import collection_plan, label_import
from tasks.learning.collection_plan import CategorisedPrompt
from tasks.settings import Settings
from tasks.store.engine import Store
from tests.support import learning
from tests.support.command import assert_exit, waybill
from tests.support.routers import KINDS, MODELS, promote_router, retrain_and_promote
from workers.routers.batch_router import current_router
from workers.routers.local_router import LocalRouter, local_router
from workers.routers.prompt_annotation import annotate
from workers.routers.retraining import RetrainResult

LAW = "Under the law of agency, may tenant {n} sue the landlord's broker for a lost deposit?"
BIRDS = "Which bird with a wingspan of {n} millimetres nests on cliffs in the far north?"


def texts(number: int, *kinds: str, seed: int) -> list[str]:
    drawn = random.Random(seed).sample(range(10_000), number)
    return [kinds[turn % len(kinds)].format(n=n) for turn, n in enumerate(drawn)]


def label(store: Store, tmp_path: Path, prompts: Sequence[str]) -> None:
    """Store a person's labels: the writer is good at poems, the coder at all else."""
    file = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
    with file.open("w") as stream:
        for text in prompts:
            poem = float("poem" in text)
            stream.write(json.dumps({"prompt": text, "scores": {"coder": 1 - poem, "writer": poem}}) + "\n")
    assert label_import.import_human(store, file, annotator="ann", on_error=print)[1] == len(prompts)


def share_of(router: LocalRouter, prompts: Sequence[str]) -> float:
    counted = router.models_for(prompts).familiarity
    assert isinstance(counted, Familiarity)
    assert counted.share is not None
    return counted.share.value


def local(settings: Settings, result: RetrainResult) -> LocalRouter:
    return local_router(settings, result.router, MODELS)


def test_labels_collected_by_novelty_lower_the_share_of_unfamiliar_prompts(
    sqlite: Store, settings: Settings, tmp_path: Path
) -> None:
    label(sqlite, tmp_path, texts(240, *KINDS.values(), seed=1))
    before = local(settings, retrain_and_promote(sqlite, settings, tmp_path / "before"))
    traffic = texts(400, *KINDS.values(), LAW, LAW, LAW, BIRDS, seed=2)
    share = share_of(before, traffic)
    assert share > 0.4

    found = [CategorisedPrompt(one) for one in learning.parsed(traffic, settings)]
    annotated = annotate(settings, current_router(settings, sqlite), found, by="novelty")
    planned = collection_plan.plan(sqlite, settings, annotated, share=0.1)
    chosen = [sample.parsed.prompt for sample in planned.samples]
    counts = Counter(next(word for word in ("law", "bird", "") if word in text) for text in chosen)
    assert len(chosen) == 40
    assert counts["law"] + counts["bird"] > 20, "more than chance would give"
    assert min(counts["law"], counts["bird"]) >= 5, "both new kinds, not only the larger one"

    label(sqlite, tmp_path, chosen)
    after = local(settings, retrain_and_promote(sqlite, settings, tmp_path / "after"))
    assert share_of(after, texts(400, *KINDS.values(), LAW, LAW, LAW, BIRDS, seed=3)) < share / 2


def test_without_a_router_that_measures_novelty_the_distance_alone_decides(
    sqlite: Store, settings: Settings, four_kinds: Router, tmp_path: Path
) -> None:
    promote_router(sqlite, settings, replace(four_kinds, novelty=None), tmp_path / "router")
    found = [
        CategorisedPrompt(one) for one in learning.parsed(texts(60, KINDS["poem"], LAW, seed=2), settings)
    ]
    annotated = list(annotate(settings, current_router(settings, sqlite), found, by="novelty"))
    planned = collection_plan.plan(sqlite, settings, annotated, share=0.2)
    # The prompts differ in a number only: after the first one of the new kind, all of that kind are near it.
    assert "law" in planned.samples[0].parsed.prompt


@pytest.mark.parametrize("by", ["random", "uncertainty"])
def test_other_samples_know_no_position(sqlite: Store, settings: Settings, tmp_path: Path, by: str) -> None:
    found = [CategorisedPrompt(one) for one in learning.parsed(texts(4, LAW, seed=2), settings)]
    annotated = annotate(settings, None, found, by=by)  # type: ignore[arg-type]
    assert [one.position for one in annotated] == [None] * 4


def test_routers_shows_both_estimates_of_the_training(
    sqlite: Store, settings: Settings, four_kinds: Router, tmp_path: Path
) -> None:
    promote_router(sqlite, settings, four_kinds, tmp_path / "router")
    shown = waybill("routers", cwd=tmp_path, environment={"WAYBILL_HOME": str(tmp_path)})
    assert_exit(shown, 0)
    for policy in ("quality", "saving", "weighted"):
        [line] = [line for line in shown.stdout.splitlines() if f"{four_kinds.version}  {policy}: " in line]
        assert "kinds left out" in line
    listed = waybill("routers", "--json", cwd=tmp_path, environment={"WAYBILL_HOME": str(tmp_path)})
    [router] = json.loads(listed.stdout)["routers"]
    assert set(router["figures"]["shift"]["none"]["quality"]) == {"familiar", "left_out"}
