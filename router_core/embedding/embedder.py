"""The embedder: turns texts into unit vectors, by a sentence-transformers model or a static embedding."""

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
"""Before tokenisation, a text is cut to this many characters for each token that the model can read.

Prose has 4 to 5 characters per token and indented code fewer than 12. So the cut changes only degenerate
texts (a megabyte of blanks, one endless word), whose tokenisation would take seconds.
"""

STATIC_MAX_TOKENS = 512
"""The tokens of a text that any static embedding reads; more would blur the mean and take longer."""


@dataclass(frozen=True, eq=False)
class Embedder:
    """A loaded embedding model. Use it from one thread at a time, as its tokenizer has state.

    Attributes:
        name: The hub id or path that it was loaded by.
        fingerprint: 64 hex digits, the same on every machine for the same files and settings.
        files: The files of a static embedding by name, which are small enough to be saved with a router;
            empty for a transformer.
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
        """Load a model from safetensors; pickled weights are refused, and code from the model is never run.

        Args:
            model: The hub id or the path of a folder.
            device: The torch device ("cpu", "cuda", "cuda:1", "mps"); ignored by a static embedding.
            threads: The most threads that torch may use in this process; None leaves its setting.
            precision: The precision of a transformer's matrix products; None measures which one is faster.

        Raises:
            ModelNotFoundError: The model is neither on this machine nor on the hub.
            ModelUnusableError: Its files are not the published ones, are pickled or cannot be loaded.
            ConfigurationError: This machine has no such device.
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
        """Load a static embedding from its files' bytes by name; raises ModelUnusableError if damaged."""
        encoder = StaticEncoder.from_files(files, max_tokens=STATIC_MAX_TOKENS)
        digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
        return cls(name, _fingerprint(digests, encoder), encoder, files)

    @classmethod
    def for_spec(
        cls, spec: EmbedderSpec, *, threads: int | None = None, precision: Precision | None = None
    ) -> Embedder:
        """Load the embedder of a router: a static one from the router's files, a transformer by its name.

        Raises:
            ConfigurationError: This machine's model of that name differs from the one that the router was
                trained with.
            ModelNotFoundError: As `load` does.
            ModelUnusableError: As `load` does.
        """
        files = {name.removeprefix(EMBEDDER_PREFIX): data for name, data in spec.files.items()}
        if files:
            embedder = cls.from_files(spec.model_id, files)
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
        """The length of its vectors."""
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        """The number of tokens of a text that it reads; the rest is cut off."""
        return self._encoder.max_tokens

    @property
    def is_static(self) -> bool:
        """Whether it is a static embedding, which is so fast that its vectors are not cached."""
        return bool(self.files)

    def embedder_files(self) -> dict[str, bytes]:
        """Return the files to save with a router, by their names in its directory; none for a transformer."""
        return {f"{EMBEDDER_PREFIX}{name}": data for name, data in self.files.items()}

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts of any length and content, float32 [n, dimension], each of length 1.

        The one exception is a text without any token that a static embedding knows: its vector is zero.
        """
        return self._encoder.encode([_clean(text, self.max_tokens * CHARS_PER_TOKEN) for text in texts])


def _fingerprint(digests: Mapping[str, str], encoder: Encoder) -> str:
    return fingerprint(
        digests, max_tokens=encoder.max_tokens, chars_per_token=CHARS_PER_TOKEN, normalisation="l2"
    )


def _clean(text: str, max_chars: int) -> str:
    """Return a text cut to some length, with question marks for lone surrogates, which tokenizers refuse."""
    cut = text[:max_chars]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")
