"""The parts of a trained router, and the files that they are saved in: save, load, manifest and version.

`router_core.artefact` writes and verifies the directory; `router_core.router.Router` adds the routing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import manifest_text, pack, read_artefact, unpack, version_of, write_artefact
from router_core.data.prompt_hashes import PromptHashSet
from router_core.embedding.spec import EmbedderSpec
from router_core.errors import ArtefactError
from router_core.hyperparameters import Hyperparameters
from router_core.monitoring.drift_reference import DRIFT_REFERENCE_FILE, DriftReference
from router_core.predictors.answer_tokens import ANSWER_TOKENS_FILE, AnswerTokens
from router_core.predictors.knn import LABELLED_IDS_FILE, LabelledIds
from router_core.predictors.novelty import NOVELTY_FILE, NoveltyMeasure
from router_core.predictors.storage import Predictors

PROMPTS_FILE = "prompts.npz"


@dataclass(frozen=True)
class RouterParts:
    """The parts of a trained router, which can be saved and loaded.

    Attributes:
        models: The names of the m models, sorted.
        embedder: The embedding model whose vectors the router takes.
        prior: The models' mean scores, float32 [m].
        predictors: Everything that predicts scores and costs.
        hyperparameters: The values that training chose on inner folds.
        training_prompts: The hashes of all prompts that any of the parts was fitted on.
        training: The record of the training, ready for JSON.
        version: The short hash of the manifest; empty before the router is complete.
        labelled_ids: The ids of the training rows, in the order of the k-nearest-neighbours predictor.
        drift_reference: The distribution of the training prompts; None where there were too few of them, and
            in routers that were saved before it was recorded.
        novelty: The measure of novelty; None in the same cases.
        answer_tokens: The expected lengths of answers; None where the labels have none.
    """

    models: tuple[str, ...]
    embedder: EmbedderSpec
    prior: NDArray[np.float32]
    predictors: Predictors
    hyperparameters: Hyperparameters
    training_prompts: PromptHashSet
    training: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    labelled_ids: LabelledIds = field(default_factory=LabelledIds)
    drift_reference: DriftReference | None = None
    novelty: NoveltyMeasure | None = None
    answer_tokens: AnswerTokens | None = None

    def save(self, path: str | Path) -> None:
        """Write the router to a directory in one step; an older router at the path is replaced.

        Raises:
            ArtefactError: Something stands at the path that is not a router.
        """
        write_artefact(Path(path), self.manifest(), self._files())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a router from its directory.

        Raises:
            ArtefactError: A file is missing, altered, a link, or not part of a complete router.
        """
        manifest, files, version = read_artefact(Path(path))
        try:
            return cls._from_files(manifest, files, version)
        except Exception as error:  # damage that the hashes do not reveal raises errors of any class
            raise ArtefactError(f"{path} is not a complete router: {type(error).__name__}") from error

    def manifest(self) -> dict[str, Any]:
        """Return the manifest without the files' hashes."""
        return {
            "models": list(self.models),
            "categories": list(self.predictors.category_classifier.categories),
            "embedder": self.embedder.manifest(),
            "prior": self.prior.tolist(),
            "settings": self.hyperparameters.manifest(),
            "training": dict(self.training),
        }

    def version_if_saved(self) -> str:
        """Return the version that the router has once it is saved: the short hash of its manifest."""
        return version_of(manifest_text(self.manifest(), self._files()))

    def _files(self) -> dict[str, bytes]:
        """Return the contents of all files but the manifest, by name."""
        own = {PROMPTS_FILE: self.training_prompts.to_bytes(), LABELLED_IDS_FILE: self.labelled_ids.data}
        if self.drift_reference is not None:
            own[DRIFT_REFERENCE_FILE] = self.drift_reference.to_bytes()
        if self.novelty is not None:
            own[NOVELTY_FILE] = pack(self.novelty.arrays())
        if self.answer_tokens is not None:
            own[ANSWER_TOKENS_FILE] = pack(self.answer_tokens.arrays())
        return {**self.predictors.files(), **own, **self.embedder.files}

    @classmethod
    def _from_files(cls, manifest: Mapping[str, Any], files: Mapping[str, bytes], version: str) -> Self:
        models = tuple(manifest["models"])
        reference = files.get(DRIFT_REFERENCE_FILE)
        return cls(
            models=models,
            embedder=EmbedderSpec.from_manifest(manifest["embedder"], files),
            prior=np.array(manifest["prior"], dtype=np.float32),
            predictors=Predictors.from_files(files, models=len(models)),
            hyperparameters=Hyperparameters.from_manifest(manifest["settings"]),
            training_prompts=PromptHashSet.from_bytes(files[PROMPTS_FILE]),
            training=manifest["training"],
            version=version,
            labelled_ids=LabelledIds(files[LABELLED_IDS_FILE])
            if LABELLED_IDS_FILE in files
            else LabelledIds(),
            drift_reference=None if reference is None else DriftReference.from_bytes(reference),
            novelty=NoveltyMeasure.from_arrays(unpack(files[NOVELTY_FILE]))
            if NOVELTY_FILE in files
            else None,
            answer_tokens=AnswerTokens.from_arrays(unpack(files[ANSWER_TOKENS_FILE]))
            if ANSWER_TOKENS_FILE in files
            else None,
        )
