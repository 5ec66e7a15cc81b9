"""The embedding model of a router, as the router's manifest and files record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router_core.artefact import EMBEDDER_PREFIX, read_artefact
from router_core.errors import ArtefactError


@dataclass(frozen=True)
class EmbedderSpec:
    """The embedding model whose vectors the router was trained on.

    Attributes:
        model_id: The hub id or path that the model was loaded by.
        fingerprint: The identity of its files and settings (`Embedder.fingerprint`).
        dimension: The length of its vectors.
        files: The files of a static embedding, which are saved with the router, by their names in the
            router's directory; empty for a transformer.
    """

    model_id: str
    fingerprint: str
    dimension: int
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, path: str | Path) -> EmbedderSpec:
        """Read only this part of a saved router; raises ArtefactError as `Router.load` does."""
        manifest, files, _ = read_artefact(Path(path))
        try:
            return cls.from_manifest(manifest["embedder"], files)
        except (KeyError, TypeError) as error:
            raise ArtefactError(f"{path} is not a complete router: {type(error).__name__}") from error

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any], files: Mapping[str, bytes]) -> EmbedderSpec:
        """Rebuild from the manifest's entry and the router's files."""
        return cls(
            **entry, files={name: data for name, data in files.items() if name.startswith(EMBEDDER_PREFIX)}
        )

    def manifest(self) -> dict[str, Any]:
        """Return the manifest's entry."""
        return {name: value for name, value in vars(self).items() if name != "files"}
