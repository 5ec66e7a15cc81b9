"""Turns prompts into unit vectors: a transformer of sentence-transformers, or a static embedding."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from router_core.artefact import EMBEDDER_PREFIX
from router_core.embedding.encoder import Encoder
from router_core.embedding.model_files import (
    DEFAULT_MODEL,
    check_files,
    file_digests,
    find_model,
    fingerprint,
)
from router_core.embedding.precision import Precision
from router_core.embedding.spec import EmbedderSpec
from router_core.embedding.static_encoder import StaticEncoder, is_static, static_files
from router_core.errors import ConfigurationError

CHARS_PER_TOKEN = 32
"""A text is cut to this many characters per token of the model before it is tokenised.

Prose has 4 to 5 characters per token and indented code fewer than 12, so only degenerate texts
(a megabyte of blanks, one endless word) feel the cut; without it tokenising them takes seconds.
"""

STATIC_MAX_TOKENS = 512
"""What a static embedding reads of a text, the same for all: more blurs the mean, and costs."""


@dataclass(frozen=True, eq=False)
class Embedder:
    """A loaded embedding model. Use it from one thread at a time: its tokenizer keeps state.

    Attributes:
        name: the hub id or path it was loaded by.
        fingerprint: 64 hex digits, the same on every machine for the same files and settings.
        files: the bytes of a static embedding, by name: small enough for a router to carry. A transformer's
            are not kept.
    """

    name: str
    fingerprint: str
    _encoder: Encoder = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        model: str = DEFAULT_MODEL,
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: Precision | None = None,
    ) -> Embedder:
        """Load a model by hub id or local path: safetensors only, and never code from the model.

        Args:
            model: hub id or path of a folder.
            device: as torch names it ("cpu", "cuda", "cuda:1", "mps"); a static embedding needs none.
            threads: upper bound on torch's threads, for this whole process.
            precision: of a transformer's matrix products; without it the faster one is measured.

        Raises:
            ModelNotFoundError: it is neither on this machine nor on the hub.
            ModelUnusableError: its files are not the published ones, pickled or not loadable.
            ConfigurationError: this machine has no such device.
        """
        folder = find_model(model)
        if is_static(folder):
            return cls.from_files(model, static_files(folder))
        digests = file_digests(folder)
        check_files(model, folder, digests)
        from router_core.embedding.transformer_encoder import TransformerEncoder

        encoder = TransformerEncoder.load(folder, device=device, threads=threads, precision=precision)
        return cls(model, _fingerprint(digests, encoder), encoder)

    @classmethod
    def from_files(cls, name: str, files: Mapping[str, bytes]) -> Embedder:
        """Load a static embedding from what `files` holds; ModelUnusableError where it is damaged."""
        encoder = StaticEncoder.from_files(files, max_tokens=STATIC_MAX_TOKENS)
        digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
        return cls(name, _fingerprint(digests, encoder), encoder, files)

    @classmethod
    def for_spec(
        cls, spec: EmbedderSpec, *, threads: int | None = None, precision: Precision | None = None
    ) -> Embedder:
        """Load the embedder of a router: the one that it carries, else the one that it names.

        Raises what `load` raises, and ConfigurationError where this machine's model of that name is not the
        one that the router was trained with.
        """
        carried = {name.removeprefix(EMBEDDER_PREFIX): data for name, data in spec.files.items()}
        if carried:
            embedder = cls.from_files(spec.model_id, carried)
        else:
            embedder = cls.load(spec.model_id, threads=threads, precision=precision)
        if embedder.fingerprint != spec.fingerprint:
            raise ConfigurationError(
                f"the embedding model {spec.model_id} is not the one that the router was trained with:"
                " its files or settings differ"
            )
        return embedder

    @property
    def dimension(self) -> int:
        """Length of its vectors."""
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that it reads; the rest is cut off."""
        return self._encoder.max_tokens

    @property
    def is_static(self) -> bool:
        """Whether it is a static embedding: so cheap that no cache is kept of its vectors."""
        return bool(self.files)

    def embedder_files(self) -> dict[str, bytes]:
        """Return the files that a router trained with it carries, by their names there; none for a transformer."""
        return {f"{EMBEDDER_PREFIX}{name}": data for name, data in self.files.items()}

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts of any length and content; returns float32 [n, dimension], each row of length 1.

        Only a text without a token that a static embedding knows has the zero vector.
        """
        return self._encoder.encode([_readable(text, self.max_tokens * CHARS_PER_TOKEN) for text in texts])


def _fingerprint(digests: Mapping[str, str], encoder: Encoder) -> str:
    return fingerprint(
        digests, max_tokens=encoder.max_tokens, chars_per_token=CHARS_PER_TOKEN, normalisation="l2"
    )


def _readable(text: str, max_chars: int) -> str:
    """Cut a text, and replace lone surrogates, which tokenizers refuse, by question marks."""
    cut = text[:max_chars]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")
