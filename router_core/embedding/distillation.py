"""Distillation: a static embedding from a transformer, by model2vec, in about half a minute.

Every token goes through the transformer alone; principal components and a weight by the token's rank make
vectors whose mean stands for a text (https://github.com/MinishLab/model2vec).
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from router_core.embedding.model_files import DEFAULT_MODEL, check_files, file_digests, find_model
from router_core.embedding.precision import faster_precision
from router_core.embedding.static_encoder import is_static
from router_core.errors import ConfigurationError, ModelUnusableError

if TYPE_CHECKING:
    from model2vec import StaticModel
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

DIMENSION = 256


def distill(model: str = DEFAULT_MODEL, *, dimension: int = DIMENSION, output: Path) -> None:
    """Distil a model, given by hub id or folder, into a folder that sentence-transformers and Waybill load.

    Raises:
        ModelNotFoundError: it is neither on this machine nor on the hub.
        ModelUnusableError: its files are damaged or pickled, or it is no transformer that can be distilled.
        ConfigurationError: the folder exists and holds something else than a static embedding.
    """
    if output.exists() and not is_static(output) and (not output.is_dir() or any(output.iterdir())):
        raise ConfigurationError(f"{output} exists and is not a static embedding")
    folder = find_model(model)
    check_files(model, folder, file_digests(folder))
    _save(_distilled(folder, dimension), output)


def _distilled(folder: Path, dimension: int) -> StaticEmbedding:
    from model2vec.distill import distill_from_model
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    transformer, tokenizer = _loaded(folder)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
            found = distill_from_model(
                transformer, tokenizer, device="cpu", pca_dims=dimension, quantize_to="float32"
            )
    except Exception as error:  # models of unknown kinds fail wherever they differ
        raise ModelUnusableError(f"{folder}: cannot be distilled: {type(error).__name__}: {error}") from error
    return StaticEmbedding(found.tokenizer, embedding_weights=_weighted(found))


def _weighted(model: StaticModel) -> npt.NDArray[np.float16]:
    """Return the vector of each token times its weight, which model2vec keeps apart, [tokens, dimension]."""
    vectors = model.embedding if model.token_mapping is None else model.embedding[model.token_mapping]
    weights = np.ones(len(vectors)) if model.weights is None else model.weights
    return np.ascontiguousarray(vectors * weights[:, None], dtype=np.float16)


def _loaded(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
    options["dtype"] = getattr(torch, faster_precision("cpu"))
    try:
        return (
            AutoModel.from_pretrained(folder, **options),
            AutoTokenizer.from_pretrained(folder, local_files_only=True),
        )
    except Exception as error:
        raise ModelUnusableError(f"{folder}: cannot be loaded as a transformer: {error}") from error


def _save(embedding: StaticEmbedding, output: Path) -> None:
    """Write the folder beside its place and swap it in, so that nobody sees half of it."""
    from sentence_transformers import SentenceTransformer

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as building:
        draft = Path(building) / "model"
        SentenceTransformer(modules=[embedding], device="cpu").save(str(draft), create_model_card=False)
        if output.exists():
            shutil.move(output, Path(building) / "old")
        draft.rename(output)
