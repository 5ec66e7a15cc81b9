"""The router: decisions, and saving and loading."""

import json
import os

import numpy as np
import pytest

from router_core.decisions import default_decisions
from router_core.errors import ArtefactError
from router_core.router import Router
from tests.support.decisions import chosen, decided


def route(router, data, **options):
    rows, vectors = data
    return router.route(vectors, [row.prompt for row in rows], **options)


def costs(data, *prices):
    return np.tile(np.array(prices), (len(data[0]), 1))


def test_each_kind_of_prompt_goes_to_the_model_that_is_good_at_it(router, unseen):
    decisions = route(router, unseen, policy="quality")
    best = ["coder" if row.category == "coding" else "counter" for row in unseen[0]]
    assert np.mean([decisions.model(row) == model for row, model in enumerate(best)]) > 0.95


def test_the_categories_of_unseen_prompts_are_detected(router, unseen):
    decisions = route(router, unseen)
    hits = [decisions.category_name(row) == prompt.category for row, prompt in enumerate(unseen[0])]
    assert np.mean(hits) > 0.95


def test_a_saved_router_decides_as_the_one_that_was_saved(router, unseen, tmp_path):
    router.save(tmp_path / "router")
    loaded = Router.load(tmp_path / "router")
    before, after = route(router, unseen), route(loaded, unseen)
    assert decided(before) == decided(after)
    np.testing.assert_array_equal(before.gap, after.gap)
    assert loaded.version == router.version == loaded.version_if_saved()


def test_a_loaded_router_is_saved_to_the_same_bytes(router, tmp_path):
    router.save(tmp_path / "router")
    Router.load(tmp_path / "router").save(tmp_path / "again")
    first, again = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("router", "again")
    )
    assert first == again


def test_routing_a_chunk_without_the_shift_guard_is_routing_each_prompt_of_it(router, unseen):
    rows, vectors = unseen
    whole = route(router, unseen, shift="none")
    single = {i: decided(router.route(vectors[[i]], [rows[i].prompt], shift="none"))[0] for i in range(20)}
    assert single == {row: decision for row, decision in decided(whole).items() if row < 20}


def test_the_order_of_the_requested_models_changes_no_choice(router, unseen):
    forward = route(router, unseen, models=("coder", "counter", "generalist"), costs=costs(unseen, 2, 1, 3))
    backward = route(router, unseen, models=("generalist", "counter", "coder"), costs=costs(unseen, 3, 1, 2))
    assert chosen(forward) == chosen(backward)


def test_only_the_requested_models_are_chosen(router, unseen):
    decisions = route(router, unseen, models=("coder", "generalist"), policy="quality")
    assert set(chosen(decisions).values()) == {"coder", "generalist"}


def test_a_model_unknown_to_the_router_comes_last_but_works_alone(router, unseen):
    mixed = route(router, unseen, models=("new", "coder"), costs=costs(unseen, 0, 9))
    assert set(mixed.rankings()[0]) == {"new", "coder"}
    assert set(chosen(mixed).values()) == {"coder"}
    alone = route(router, unseen, models=("new",))
    assert alone.reason_name(0) == "default_model"
    assert next(alone.rows([row.id for row in unseen[0]]))["predicted"] == {}


def test_decisions_are_written_in_the_documented_format(router, unseen):
    row = next(route(router, unseen).rows([row.id for row in unseen[0]]))
    assert list(row) == ["id", "model", "category", "predicted", "gap", "used_fallback", "reason"]
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert set(row["predicted"]) == {"coder", "counter", "generalist"}


def test_a_larger_tau_lets_the_classifier_decide_more_prompts(router, unseen):
    never = route(router, unseen, policy="cargo", tau=0.0)
    always = route(router, unseen, policy="cargo", tau=10.0)
    assert set(never.used_fallback.tolist()) == {False}
    assert set(always.used_fallback.tolist()) == {True}


def test_without_a_router_every_prompt_goes_to_the_default_model():
    decisions = default_decisions(2, ("cheap", "dear"), "dear")
    assert decisions.rankings()[1] == ("dear", "cheap")
    assert [row["reason"] for row in decisions.rows(["a", "b"])] == ["no_router", "no_router"]
    assert next(decisions.rows(["a", "b"]))["gap"] is None


def test_an_empty_chunk_gives_no_decisions(router):
    assert len(router.route(np.zeros((0, 8), dtype=np.float32), [])) == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"policy": "best"}, "unknown policy"),
        ({"models": []}, "at least one"),
        ({"models": ["coder", "coder"]}, "each once"),
        ({"costs": np.zeros((1, 3))}, "costs have shape"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(router, unseen, options, reason):
    with pytest.raises(ValueError, match=reason):
        route(router, unseen, **options)


def test_vectors_of_another_embedder_are_refused(router):
    with pytest.raises(ValueError, match="shape"):
        router.route(np.zeros((1, 9), dtype=np.float32), ["text"])


@pytest.fixture
def saved(router, tmp_path):
    router.save(tmp_path / "router")
    return tmp_path / "router"


def edit_manifest(path, change):
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_an_altered_file_is_refused_before_it_is_parsed(saved, monkeypatch):
    with (saved / "memory.npz").open("ab") as stream:
        stream.write(b"x")
    monkeypatch.setattr("router_core.predictors.storage.unpack", lambda data: pytest.fail("parsed"))
    with pytest.raises(ArtefactError, match=r"memory\.npz .*SHA-256"):
        Router.load(saved)


def test_a_missing_file_is_named(saved):
    (saved / "regressor-00.txt").unlink()
    with pytest.raises(ArtefactError, match=r"regressor-00\.txt cannot be read"):
        Router.load(saved)


def test_a_link_is_not_followed_even_to_the_right_bytes(saved, tmp_path):
    (saved / "memory.npz").rename(tmp_path / "elsewhere.npz")
    (saved / "memory.npz").symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(ArtefactError, match="cannot be read"):
        Router.load(saved)


def test_a_pipe_or_too_large_a_file_is_refused(saved, monkeypatch):
    monkeypatch.setattr("router_core.artefact.MAX_FILE_BYTES", 10)
    with pytest.raises(ArtefactError, match="no regular file of at most 10 bytes"):
        Router.load(saved)
    monkeypatch.undo()
    (saved / "memory.npz").unlink()
    os.mkfifo(saved / "memory.npz")
    with pytest.raises(ArtefactError, match="no regular file"):
        Router.load(saved)


@pytest.mark.parametrize("name", ["../memory.npz", "/etc/passwd", ".."])
def test_a_file_outside_the_directory_is_refused(saved, name):
    edit_manifest(saved, lambda manifest: manifest["files"].update({name: "0" * 64}))
    with pytest.raises(ArtefactError, match="outside"):
        Router.load(saved)


def test_another_format_is_refused(saved):
    edit_manifest(saved, lambda manifest: manifest.update(format=99))
    with pytest.raises(ArtefactError, match="format 99"):
        Router.load(saved)


def test_a_manifest_without_its_entries_is_refused(saved):
    edit_manifest(saved, lambda manifest: manifest.pop("settings"))
    with pytest.raises(ArtefactError, match="not a complete router"):
        Router.load(saved)


def test_a_directory_that_is_no_router_is_never_replaced(router, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ArtefactError, match="left alone"):
        router.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_saving_again_replaces_the_router_and_leaves_nothing_behind(router, saved):
    router.save(saved)
    assert Router.load(saved).models == router.models
    assert [path.name for path in saved.parent.iterdir()] == ["router"]
