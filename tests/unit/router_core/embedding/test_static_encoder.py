"""Static embeddings: the vectors of sentence-transformers without torch, distillation, and use by routers."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from router_core.embedding.cached_embedder import CachedEmbedder
from router_core.embedding.distillation import distill
from router_core.embedding.embedder import STATIC_MAX_TOKENS, Embedder
from router_core.embedding.model_files import DEFAULT_MODEL, find_model
from router_core.embedding.spec import EmbedderSpec
from router_core.errors import ConfigurationError, ModelUnusableError
from router_core.router import Router
from router_core.training.train import train

TEXTS = ["Prove that 17 is prime.", "def f(x): return x + 1", "word " * 2000, "Grüße, 你好 🙂", "a", ""]


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static embedding with MiniLM's tokenizer and vectors drawn at random."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("static")
    tokenizer = Tokenizer.from_file(str(find_model(DEFAULT_MODEL) / "tokenizer.json"))
    weights = torch.randn(tokenizer.get_vocab_size(), 16, generator=torch.Generator().manual_seed(1))
    tokenizer.enable_truncation(STATIC_MAX_TOKENS)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")
    model.save(str(folder), create_model_card=False)
    return folder


@pytest.fixture
def copy(static: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(static, tmp_path / "copy"))


def test_the_vectors_are_those_of_sentence_transformers(static: Path) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(static), device="cpu").encode(TEXTS[:-1], normalize_embeddings=True)
    np.testing.assert_allclose(Embedder.load(str(static)).encode(TEXTS[:-1]), expected, atol=1e-5)


def test_a_text_without_a_token_has_the_zero_vector_and_no_text_none(static: Path) -> None:
    embedder = Embedder.load(str(static))
    np.testing.assert_array_equal(embedder.encode(["", "\x00"]), np.zeros((2, 16)))
    assert embedder.encode([]).shape == (0, 16)


def test_loading_and_encoding_needs_no_torch(static: Path) -> None:
    code = (
        "import sys; from router_core.embedding.embedder import Embedder;"
        f"Embedder.load({str(static)!r}).encode(['a text']); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_fingerprint_follows_the_files_and_nothing_else(static: Path, copy: Path) -> None:
    first = Embedder.load(str(static))
    assert Embedder.load(str(copy)).fingerprint == first.fingerprint
    assert Embedder.from_files("other name", first.files).fingerprint == first.fingerprint
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer, indent=3))
    assert Embedder.load(str(copy)).fingerprint != first.fingerprint


def test_damaged_files_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelUnusableError):
        Embedder.load(str(copy))
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelUnusableError, match=r"model\.safetensors"):
        Embedder.load(str(copy))


def test_no_cache_is_kept_for_a_static_embedding(static: Path, tmp_path: Path) -> None:
    embedder = CachedEmbedder.open(Embedder.load(str(static)), tmp_path / "cache", max_vectors=100)
    first, second = embedder.encode(TEXTS), embedder.encode(TEXTS)
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert (second.hits, embedder.cache, (tmp_path / "cache").exists()) == (0, None, False)


def test_a_static_embedding_is_saved_with_the_router(static: Path, make_rows, tmp_path: Path) -> None:
    source = Embedder.load(str(static))
    rows, _ = make_rows(60)
    router = train(
        rows,
        source.encode([row.prompt for row in rows]),
        embedder_id="static",
        embedder_fingerprint=source.fingerprint,
        embedder_files=source.embedder_files(),
    )
    router.save(tmp_path / "router")
    assert Router.load(tmp_path / "router").version == router.version
    spec = EmbedderSpec.read(tmp_path / "router")
    loaded = Embedder.for_spec(spec)
    np.testing.assert_array_equal(loaded.encode(TEXTS), source.encode(TEXTS))
    assert (loaded.name, loaded.fingerprint) == ("static", source.fingerprint)
    with pytest.raises(ConfigurationError, match="not the one"):
        Embedder.for_spec(EmbedderSpec("static", "f" * 64, 16, spec.files))


@pytest.fixture(scope="module")
def tiny_transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one small layer over MiniLM's first 2,000 tokens."""
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = (find_model(DEFAULT_MODEL) / "vocab.txt").read_text().splitlines()[:2100]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    config = BertConfig(
        vocab_size=2100, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    model = models.Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[model, models.Pooling(32)], device="cpu").save(str(folder / "model"))
    return folder / "model"


def test_any_transformer_can_be_distilled(tiny_transformer: Path, tmp_path: Path) -> None:
    distill(str(tiny_transformer), dimension=8, output=tmp_path / "static")
    embedder = Embedder.load(str(tmp_path / "static"))
    assert (embedder.is_static, embedder.dimension) == (True, 8)
    assert list(tmp_path.glob(".static*")) == []
    distill(str(tiny_transformer), dimension=16, output=tmp_path / "static")
    assert Embedder.load(str(tmp_path / "static")).dimension == 16


def test_nothing_but_a_static_embedding_is_overwritten(tiny_transformer: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ConfigurationError, match="not a static embedding"):
        distill(str(tiny_transformer), output=tmp_path)
    assert (tmp_path / "notes").read_text() == "mine"
