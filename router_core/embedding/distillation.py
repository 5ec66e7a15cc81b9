"""Distillation of a transformer into a static embedding by model2vec, in about half a minute.

model2vec embeds every token of the vocabulary by itself, reduces the vectors by principal component analysis
and weights them by the token's rank. The mean of its tokens' vectors then represents a text
(https://github.com/MinishLab/model2vec).
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
    """Distil a model into a folder that sentence-transformers and Waybill can load.

    Args:
        model: The hub id or the folder of the transformer.
        dimension: The length of the static embedding's vectors.
        output: The folder to write; a static embedding that is there already is replaced.

    Raises:
        ModelNotFoundError: The model is neither on this machine nor on the hub.
        ModelUnusableError: Its files are damaged or pickled, or it is no transformer that can be distilled.
        ConfigurationError: The output folder holds something else than a static embedding.
    """
    if output.exists() and not is_static(output) and (not output.is_dir() or any(output.iterdir())):
        raise ConfigurationError(f"{output} exists and is not a static embedding")
    folder = find_model(model)
    check_files(model, folder, file_digests(folder))
    _save(_distill(folder, dimension), output)


def _distill(folder: Path, dimension: int) -> StaticEmbedding:
    from model2vec.distill import distill_from_model
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    transformer, tokenizer = _load(folder)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
            static = distill_from_model(
                transformer, tokenizer, device="cpu", pca_dims=dimension, quantize_to="float32"
            )
    except Exception as error:  # models of unknown kinds raise errors of any class
        raise ModelUnusableError(f"{folder}: cannot be distilled: {type(error).__name__}: {error}") from error
    return StaticEmbedding(static.tokenizer, embedding_weights=_weighted_vectors(static))


def _weighted_vectors(model: StaticModel) -> npt.NDArray[np.float16]:
    """Return each token's vector times its weight, [tokens, dimension]; model2vec stores the two apart."""
    vectors = model.embedding if model.token_mapping is None else model.embedding[model.token_mapping]
    weights = np.ones(len(vectors)) if model.weights is None else model.weights
    return np.ascontiguousarray(vectors * weights[:, None], dtype=np.float16)


def _load(folder: Path) -> tuple[Any, Any]:
    """Return the transformer and its tokenizer."""
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
    """Write the folder next to `output` and rename it into place, so that it is never seen incomplete."""
    from sentence_transformers import SentenceTransformer

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as building:
        draft = Path(building) / "model"
        SentenceTransformer(modules=[embedding], device="cpu").save(str(draft), create_model_card=False)
        if output.exists():
            shutil.move(output, Path(building) / "old")
        draft.rename(output)
