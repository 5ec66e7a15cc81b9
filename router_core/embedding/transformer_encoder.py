"""The encoder of a transformer: any sentence-transformers model, in batches of texts of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from router_core.embedding.precision import Precision, faster_precision
from router_core.errors import ConfigurationError, ModelUnusableError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_UNLIMITED_MODEL_TOKENS = 8192
# Measured with MiniLM on one core: batches of 1,024 padded tokens are 10 % faster than those of 2,048 and
# 45 % faster than those of 4,096, because the activations stay in the processor's cache. Activations in
# bfloat16 are half as large. An accelerator needs more work per launch.
_BATCH_TOKENS = {"float32": 1024, "bfloat16": 2048}
_ACCELERATOR_BATCH_TOKENS = 32_768


@dataclass(frozen=True, eq=False)
class TransformerEncoder:
    """A sentence-transformers model on a device.

    Attributes:
        dimension: The length of its vectors.
        max_tokens: The number of tokens of a text that it reads.
        precision: The precision of its matrix products.
    """

    dimension: int
    max_tokens: int
    precision: Precision
    _model: SentenceTransformer = field(repr=False)

    @classmethod
    def load(
        cls, folder: Path, *, device: str, threads: int | None, precision: Precision | None
    ) -> TransformerEncoder:
        """Load from a folder; without a `precision` the faster one is measured, in a tenth of a second.

        Raises:
            ConfigurationError: This machine has no such device.
            ModelUnusableError: The files cannot be loaded.
        """
        _prepare_torch(device, threads)
        model = _load(folder, device)
        precision = precision or faster_precision(device)
        probe = cls(0, _max_tokens(model), precision, model)
        return cls(probe._infer([""]).shape[1], probe.max_tokens, precision, model)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, float32 [n, dimension].

        A batch holds texts of similar length, so that little time is spent on padding.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in plan_batches(self._token_counts(texts), batch_tokens=self._batch_tokens()):
            vectors[batch] = self._infer([texts[row] for row in batch])
        return vectors

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self._model.tokenizer

    def _infer(self, texts: list[str]) -> npt.NDArray[np.float32]:
        with _autocast(self._model, self.precision):
            outputs = self._model.encode(
                texts,
                batch_size=len(texts),
                normalize_embeddings=False,
                convert_to_numpy=False,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
        vectors = outputs.float().cpu().numpy()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)

    def _token_counts(self, texts: Sequence[str]) -> list[int]:
        tokenizer = self._model.tokenizer
        if not texts or not callable(tokenizer):  # some models pad nothing
            return [len(text) for text in texts]
        encoded = tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
        return [len(ids) for ids in encoded["input_ids"]]

    def _batch_tokens(self) -> int:
        on_cpu = self._model.device.type == "cpu"
        return _BATCH_TOKENS[self.precision] if on_cpu else _ACCELERATOR_BATCH_TOKENS


def _autocast(model: SentenceTransformer, precision: Precision) -> AbstractContextManager[object]:
    import torch

    return torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bfloat16")


def _prepare_torch(device: str, threads: int | None) -> None:
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(f"torch has no device {device!r} on this machine") from error


def _load(folder: Path, device: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # A progress bar would clutter a worker's log.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        return SentenceTransformer(
            str(folder), device=device, model_kwargs={"use_safetensors": True}, **options
        )
    except Exception as error:  # for damaged files the three libraries raise errors of any class
        raise ModelUnusableError(f"{folder}: cannot be loaded as an embedding model: {error}") from error


def _max_tokens(model: SentenceTransformer) -> int:
    """Return the model's limit of tokens; a model without one reports None, infinity or 10^30."""
    reported = model.max_seq_length
    return int(reported) if reported and reported < 1_000_000 else _UNLIMITED_MODEL_TOKENS


def plan_batches(lengths: Sequence[int], *, batch_tokens: int) -> Iterator[list[int]]:
    """Yield the rows in batches of similar length.

    Args:
        lengths: The number of tokens of each row.
        batch_tokens: The most tokens of a batch after padding to its longest row. A longer row is a batch of
            its own.
    """
    batch: list[int] = []
    for row in np.argsort(np.asarray(lengths), kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[row] > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
