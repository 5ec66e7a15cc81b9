"""Training of a router on labelled files, and its evaluation, in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from router_core.data.labelled_prompts import LabelledPrompt
    from router_core.embedding.cached_embedder import CachedEmbedder
    from router_core.evaluation import Evaluation
    from router_core.evaluation.evaluated_policies import PolicyNumbers
    from router_core.router import Router

CHUNK = 512
#: With fewer rows LightGBM's threads wait for each other longer than they work.
_ROWS_FOR_THREADS = 2000
_NOTIFY_EVERY = 2048


def train_router(
    settings: Settings,
    rows: Sequence[LabelledPrompt],
    output: Path,
    *,
    embedder: str | None = None,
    seed: int = 0,
    notify: Callable[[str], None],
) -> Router:
    """Train a router on labelled prompts and save it in the directory `output`.

    Raises:
        LabelsError: The labels do not suffice to train on.
        ArtefactError: The router cannot be saved there.
    """
    notify(f"{len(rows):,} labelled rows")
    router = train_on(settings, rows, embedder=embedder, seed=seed, notify=notify)
    router.save(output)
    return router


def train_on(
    settings: Settings,
    rows: Sequence[LabelledPrompt],
    *,
    weights: npt.NDArray[np.floating] | None = None,
    embedder: str | None = None,
    seed: int = 0,
    notify: Callable[[str], None],
) -> Router:
    """Train a router on n labelled prompts.

    Args:
        weights: The weight of each prompt, [n]; None weights all alike.
        embedder: The embedding model; None takes that of the settings.

    Raises:
        LabelsError: The labels do not suffice to train on.
    """
    from router_core.data.categories import read_sample
    from router_core.training.train import train
    from workers.routers.embedders import training_embedder

    cached = training_embedder(settings, embedder or settings.embedder.model, notify)
    return train(
        rows,
        embed_prompts(cached, rows, notify),
        sample_vectors=embed_prompts(cached, read_sample(), notify),
        weights=weights,
        priors=settings.priors,
        embedder_id=cached.embedder.name,
        embedder_fingerprint=cached.embedder.fingerprint,
        embedder_files=cached.embedder.embedder_files(),
        seed=seed,
        threads=_threads(len(rows)),
        progress=notify,
    )


def evaluate_router(
    settings: Settings,
    rows: Sequence[LabelledPrompt],
    router: Router,
    *,
    numbers: PolicyNumbers,
    include_training: bool,
    notify: Callable[[str], None],
) -> Evaluation:
    """Evaluate a router on labelled prompts.

    Raises:
        LabelsError: No prompt is left that it was not trained on, or a budget needs costs that are not known.
        ConfigurationError: The embedder on this machine is not the router's.
    """
    from router_core.evaluation import evaluate
    from router_core.evaluation.evaluate import row_uses
    from workers.routers.embedders import router_embedder

    row_uses(router, rows, include_training=include_training)  # before the embedding, which takes its time
    vectors = embed_prompts(router_embedder(settings, router.embedder), rows, notify)
    return evaluate(
        router,
        rows,
        vectors,
        include_training=include_training,
        numbers=numbers,
        threads=_threads(len(rows)),
    )


def embed_prompts(
    cached: CachedEmbedder, rows: Sequence[LabelledPrompt], notify: Callable[[str], None]
) -> npt.NDArray[np.float32]:
    """Return the vectors of n prompts, float32 [n, d], through the vector cache."""
    import numpy as np

    vectors = np.empty((len(rows), cached.embedder.dimension), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        chunk = slice(start, start + CHUNK)
        texts = [row.prompt for row in rows[chunk]]
        vectors[chunk] = cached.encode(texts).vectors
        if len(rows) > _NOTIFY_EVERY and start % _NOTIFY_EVERY == 0:
            notify(f"embedding: {start:,} of {len(rows):,} prompts")
    return vectors


def _threads(rows: int) -> int:
    return (os.cpu_count() or 1) if rows >= _ROWS_FOR_THREADS else 1
