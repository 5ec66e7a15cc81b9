"""The embedder on the real packaged model."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.embedding import model_files
from router_core.embedding.embedder import CHARS_PER_TOKEN, Embedder
from router_core.embedding.precision import faster_precision
from router_core.embedding.transformer_encoder import plan_batches
from router_core.errors import ConfigurationError, ModelNotFoundError, ModelUnusableError


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder.load(threads=1, precision="float32")


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_files.find_model(model_files.DEFAULT_MODEL), tmp_path / "copy"))


def test_vectors_are_unit_float32_rows_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = ["Prove that 17 is prime.", "word " * 100, "", "Write a haiku about rain."]
    vectors = embedder.encode(texts)
    assert vectors.shape == (4, embedder.dimension) == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(embedder.encode([text])[0], vector, atol=1e-5)


def test_vectors_agree_with_the_published_model(embedder: Embedder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["def f(x): return x + 1", "Summarise the following article. " * 60]
    folder = str(model_files.find_model(model_files.DEFAULT_MODEL))
    expected = SentenceTransformer(folder, device="cpu", local_files_only=True).encode(texts)
    np.testing.assert_allclose(embedder.encode(texts), expected, atol=1e-5)


def test_bfloat16_gives_the_same_vectors_to_a_cosine_of_0_999(embedder: Embedder) -> None:
    texts = ["def f(x): return x + 1", "Summarise the following article. " * 60, "Hi", "Prove it. " * 9]
    vectors = Embedder.load(threads=1, precision="bfloat16").encode(texts)
    assert vectors.dtype == np.float32
    assert ((vectors * embedder.encode(texts)).sum(axis=1) > 0.999).all()


def test_the_precision_is_one_of_two_and_float32_where_there_is_no_cpu() -> None:
    assert faster_precision("cpu") in ("float32", "bfloat16")
    assert faster_precision("cuda") == "float32"


def test_similar_prompts_lie_closer_than_different_ones(embedder: Embedder) -> None:
    a, b, c = embedder.encode(["Solve x^2 = 4", "Find x where x squared is four", "A poem on autumn leaves"])
    assert a @ b > a @ c + 0.3


def test_no_texts_give_an_empty_matrix(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_lone_surrogates_and_nul_characters_are_embedded(embedder: Embedder) -> None:
    assert np.isfinite(embedder.encode(["half a pair \ud83d", "nul \x00 here"])).all()


def test_a_megabyte_of_text_costs_no_more_than_a_full_context(embedder: Embedder) -> None:
    full = "some words " * embedder.max_tokens
    embedder.encode([full])
    started = time.process_time()
    vector = embedder.encode(["some words " * 100_000])[0]
    assert time.process_time() - started < 1.0
    np.testing.assert_allclose(vector, embedder.encode([full])[0], atol=1e-5)


def test_the_cut_lies_far_beyond_what_the_model_reads(embedder: Embedder) -> None:
    sparse_code = ("        " * 2 + "x = y\n") * 2000
    tokens = embedder._encoder.tokenizer(sparse_code[: embedder.max_tokens * CHARS_PER_TOKEN])["input_ids"]
    assert len(tokens) > embedder.max_tokens


def test_the_fingerprint_does_not_depend_on_the_path(embedder: Embedder, model_copy: Path) -> None:
    assert Embedder.load(str(model_copy)).fingerprint == embedder.fingerprint


def test_the_fingerprint_changes_with_the_context_length(embedder: Embedder, model_copy: Path) -> None:
    (model_copy / "sentence_bert_config.json").write_text('{"max_seq_length": 128, "do_lower_case": false}')
    changed = Embedder.load(str(model_copy))
    assert changed.max_tokens == 128
    assert changed.fingerprint != embedder.fingerprint


def test_notes_on_a_model_do_not_change_its_fingerprint(model_copy: Path) -> None:
    before = model_files.file_digests(model_copy)
    (model_copy / "README.md").write_text("Hello")
    (model_copy / ".cache").mkdir()
    (model_copy / ".cache" / "download.json").write_text("{}")
    assert model_files.file_digests(model_copy) == before
    (model_copy / "vocab.txt").write_text("other")
    assert model_files.file_digests(model_copy) != before


def test_altered_weights_under_the_default_name_are_refused(
    model_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (model_copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    monkeypatch.setattr("router_core.embedding.embedder.find_model", lambda _: model_copy)
    with pytest.raises(ModelUnusableError, match="not the published weights"):
        Embedder.load()


def test_a_model_that_is_nowhere_gives_a_clear_error_at_once() -> None:
    started = time.process_time()
    for missing in ("no-such-owner/no-such-model", "/no/such/folder", "not an id"):
        with pytest.raises(ModelNotFoundError, match=missing):
            Embedder.load(missing)
    assert time.process_time() - started < 15


def test_pickled_weights_are_refused(model_copy: Path) -> None:
    (model_copy / "model.safetensors").rename(model_copy / "pytorch_model.bin")
    with pytest.raises(ModelUnusableError, match="pickled"):
        Embedder.load(str(model_copy))


def test_damaged_files_are_refused_with_the_folder_named(model_copy: Path) -> None:
    (model_copy / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelUnusableError, match=str(model_copy)):
        Embedder.load(str(model_copy))


def test_an_unknown_device_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="warp"):
        Embedder.load(device="warp")


@given(lengths=st.lists(st.integers(1, 300), max_size=60), budget=st.integers(1, 1000))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(plan_batches(lengths, batch_tokens=budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget
