"""From labels in the store to a challenger that is compared with the champion."""

import json
from pathlib import Path

import pytest

from router_core.errors import LabelsError
from tasks.errors import UsageError
from tasks.learning import label_import
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.routers import roles, versions
from tests.support.routers import MODELS, prompt, right_model
from workers.routers import promotion
from workers.routers.retraining import LabelWeighting, RetrainResult, retrain


def import_labels(store: Store, tmp_path: Path, *, start: int, number: int, swapped: bool = False) -> None:
    """Import people's labels: each model is good at its own kind of prompt or, swapped, at the other's."""
    rows = []
    for n in range(start, start + number):
        scores = {model: float(model == right_model(n + swapped)) for model in MODELS}
        rows.append({"id": f"p{n}", "prompt": prompt(n), "scores": scores, "category": "Write"})
    file = tmp_path / f"people-{start}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert label_import.import_human(store, file, annotator="ann", on_error=print)[1] == number


def retrained(store: Store, settings: Settings, output: Path) -> RetrainResult:
    return retrain(
        store, settings, output, weighting=LabelWeighting(half_life=30), seed=1, notify=lambda _: None
    )


def test_without_labels_nothing_is_trained(sqlite: Store, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="no labels"):
        retrained(sqlite, settings, tmp_path / "router")


def test_a_challenger_is_compared_on_prompts_new_to_both_and_promoted_only_if_better(
    sqlite: Store, settings: Settings, tmp_path: Path
) -> None:
    import_labels(sqlite, tmp_path, start=0, number=160, swapped=True)
    first = retrained(sqlite, settings, tmp_path / "first")
    assert first.champion is None
    # The first router is compared with its best single model.
    assert first.comparison is not None
    assert first.comparison.overall.prompts == first.held_out == 32
    promotion.promote(sqlite, settings, first.router.version, if_better=True)

    with sqlite.write() as connection:
        connection.exec_driver_sql("DELETE FROM human_label")
        connection.exec_driver_sql("DELETE FROM human_prompt")
    import_labels(sqlite, tmp_path, start=1000, number=400)
    second = retrained(sqlite, settings, tmp_path / "second")
    assert second.champion == first.router.version
    assert second.comparison is not None
    assert second.comparison.overall.gain > 5 * second.comparison.overall.standard_error
    assert second.comparison.overall.prompts == second.held_out == 80
    promotion.promote(sqlite, settings, second.router.version, if_better=True)

    with pytest.raises(UsageError, match=r"was compared with always .*, but .* routes now"):
        promotion.promote(sqlite, settings, first.router.version, if_better=True)
    with sqlite.read() as connection:
        assert roles.read(connection).champion == second.router.version
        listed = {one.version: one.figures["comparison"] for one in versions.list_versions(connection)}
    assert listed[first.router.version]["best_single"] == first.router.best_single
    assert listed[second.router.version]["champion"] == first.router.version


def test_a_router_whose_training_could_not_compare_is_refused_with_that_reason(
    sqlite: Store, settings: Settings
) -> None:
    source, figures = promotion.SOURCE_OF_STORE_LABELS, {"comparison": None}
    with sqlite.write() as connection:
        versions.register(connection, "a" * 12, {"file": b"x"}, source=source, figures=figures)
    with pytest.raises(UsageError, match=r"the champion knows.*waybill collect") as refused:
        promotion.promote(sqlite, settings, "a" * 12, if_better=True)
    assert "train --from-store" not in str(refused.value)


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"gain": 0.0392, "standard_error": 0.0385, "prompts": 14}, "at least 30 are needed"),
        ({"gain": 0.5, "standard_error": 0.01, "prompts": 29}, "at least 30 are needed"),
        ({"gain": 0.0392, "standard_error": 0.0385, "prompts": 140}, "less than 2 standard errors"),
        ({"gain": -0.1, "standard_error": 0.001, "prompts": 500}, "not better for sure"),
        (None, "nothing compares"),
    ],
)
def test_a_gain_that_may_be_chance_is_not_promoted(
    figures: dict[str, float] | None, says: str, sqlite: Store, settings: Settings
) -> None:
    version = "a" * 12
    comparison = figures and {**figures, "champion": None, "best_single": "small"}
    with sqlite.write() as connection:
        versions.register(
            connection, version, {"file": b"x"}, source="test", figures={"comparison": comparison}
        )
    with pytest.raises(UsageError, match=says):
        promotion.promote(sqlite, settings, version, if_better=True)
