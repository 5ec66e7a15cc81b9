"""Turns prompts into unit vectors with a sentence-transformers model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from router_core.errors import ConfigurationError, ModelUnusableError
from router_core.model_files import DEFAULT_MODEL, check_files, file_digests, find_model, fingerprint

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CHARS_PER_TOKEN = 32
"""A text is cut to this many characters per token of the model before it is tokenised.

Prose has 4 to 5 characters per token and indented code fewer than 12, so only degenerate texts
(a megabyte of blanks, one endless word) feel the cut; without it tokenising them takes seconds.
"""

_UNLIMITED_MODEL_TOKENS = 8192
# Measured on 500 real prompts with MiniLM on a CPU: 2,048 padded tokens beat 8,192 by 30 %
# (the activations stay in the cache); an accelerator wants more work per launch.
_CPU_BATCH_TOKENS = 2048
_ACCELERATOR_BATCH_TOKENS = 32_768


@dataclass(frozen=True, eq=False)
class Embedder:
    """A loaded embedding model. Use it from one thread at a time: its tokenizer keeps state.

    Attributes:
        name: the hub id or path it was loaded by.
        dimension: length of its vectors.
        max_tokens: tokens of a text that it reads; the rest is cut off.
        fingerprint: 64 hex digits, the same on every machine for the same files and settings.
    """

    name: str
    dimension: int
    max_tokens: int
    fingerprint: str
    _model: SentenceTransformer = field(repr=False)

    @classmethod
    def load(cls, model: str = DEFAULT_MODEL, *, device: str = "cpu", threads: int | None = None) -> Embedder:
        """Load a model by hub id or local path: safetensors only, and never code from the model.

        Args:
            model: hub id or path of a folder.
            device: as torch names it ("cpu", "cuda", "cuda:1", "mps").
            threads: upper bound on torch's threads, for this whole process.

        Raises:
            ModelNotFoundError: it is neither on this machine nor on the hub.
            ModelUnusableError: its files are not the published ones, pickled or not loadable.
            ConfigurationError: this machine has no such device.
        """
        _prepare_torch(device, threads)
        folder = find_model(model)
        digests = file_digests(folder)
        check_files(model, folder, digests)
        loaded = _load(folder, device)
        max_tokens = _max_tokens(loaded)
        return cls(
            name=model,
            dimension=_infer(loaded, [""]).shape[1],
            max_tokens=max_tokens,
            fingerprint=fingerprint(
                digests, max_tokens=max_tokens, chars_per_token=CHARS_PER_TOKEN, normalisation="l2"
            ),
            _model=loaded,
        )

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts of any length and content; returns float32 [n, dimension], each row of length 1.

        Texts of similar length go through the model together, so that little is spent on padding.
        """
        readable = [_readable(text, self.max_tokens * CHARS_PER_TOKEN) for text in texts]
        vectors = np.empty((len(readable), self.dimension), dtype=np.float32)
        for batch in plan_batches(self._token_counts(readable), batch_tokens=self._batch_tokens()):
            vectors[batch] = _infer(self._model, [readable[row] for row in batch])
        return vectors

    def _token_counts(self, texts: Sequence[str]) -> list[int]:
        tokenizer = self._model.tokenizer
        if not texts or not callable(tokenizer):  # static embeddings have no padding to save
            return [len(text) for text in texts]
        encoded = tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
        return [len(ids) for ids in encoded["input_ids"]]

    def _batch_tokens(self) -> int:
        return _CPU_BATCH_TOKENS if self._model.device.type == "cpu" else _ACCELERATOR_BATCH_TOKENS


def plan_batches(lengths: Sequence[int], *, batch_tokens: int) -> Iterator[list[int]]:
    """Yield row numbers in batches of similar length, each within `batch_tokens` once padded.

    A batch always holds a row, however long that is.
    """
    batch: list[int] = []
    for row in np.argsort(np.asarray(lengths), kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[row] > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _readable(text: str, max_chars: int) -> str:
    """Cut a text, and replace lone surrogates, which tokenizers refuse, by question marks."""
    return text[:max_chars].encode("utf-8", "replace").decode("utf-8")


def _infer(model: SentenceTransformer, texts: list[str]) -> npt.NDArray[np.float32]:
    vectors = model.encode(texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


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

    # The bar would draw over a worker's log.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        return SentenceTransformer(
            str(folder), device=device, model_kwargs={"use_safetensors": True}, **options
        )
    except Exception as error:  # the loaders of three libraries raise whatever damaged files provoke
        raise ModelUnusableError(f"{folder}: cannot be loaded as an embedding model: {error}") from error


def _max_tokens(model: SentenceTransformer) -> int:
    """What the model reads; one without a limit reports none, infinity or 10^30."""
    reported = model.max_seq_length
    return int(reported) if reported and reported < 1_000_000 else _UNLIMITED_MODEL_TOKENS
