"""Training and evaluation in this process: labelled files in, a router's directory or figures out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from router_core.evaluation import Evaluation
    from router_core.labelled import LabelledPrompt
    from router_core.router import Router
    from tasks.stages.context import WorkerContext

CHUNK = 512
#: with fewer rows LightGBM's threads wait for each other longer than they work
_ROWS_FOR_THREADS = 2000
_TOLD_EVERY = 2048


def train_router(
    settings: Settings,
    files: Sequence[Path],
    output: Path,
    *,
    embedder: str | None = None,
    seed: int = 0,
    say: Callable[[str], None],
) -> Router:
    """Train on labelled files and save; raises LabelsError with file and line, ArtefactError for `output`."""
    from router_core.labelled import read_labelled
    from router_core.training import train
    from workers.routing import embedding_context

    rows = [row for file in files for row in read_labelled(file)]
    context = embedding_context(settings, embedder or settings.embedder.model)
    router = train(
        rows,
        vectors_of(context, rows, say),
        embedder_id=context.embedder.name,
        embedder_fingerprint=context.embedder.fingerprint,
        seed=seed,
        threads=_threads(len(rows)),
        progress=say,
    )
    router.save(output)
    return router


def evaluate_router(
    settings: Settings,
    file: Path,
    path: Path,
    *,
    quality_floor: float,
    include_training: bool,
    say: Callable[[str], None],
) -> Evaluation:
    """Evaluate a saved router; raises LabelsError, ArtefactError, or ConfigurationError for the embedder."""
    from router_core.evaluation import evaluate
    from router_core.labelled import read_labelled
    from router_core.router import Router
    from workers.routing import check_embedder, embedding_context

    router = Router.load(path)
    rows = list(read_labelled(file))
    context = embedding_context(settings, router.embedder.model_id)
    check_embedder(context, router)
    vectors = vectors_of(context, rows, say)
    return evaluate(
        router,
        rows,
        vectors,
        include_training=include_training,
        quality_floor=quality_floor,
        threads=_threads(len(rows)),
    )


def vectors_of(
    context: WorkerContext, rows: Sequence[LabelledPrompt], say: Callable[[str], None]
) -> npt.NDArray[np.float32]:
    """Vectors float32 [n, d] of the prompts, through this home's cache."""
    import numpy as np

    from router_core.cached_encoding import encode_cached

    vectors = np.empty((len(rows), context.embedder.dimension), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        texts = [row.prompt for row in rows[part]]
        vectors[part] = encode_cached(context.embedder, context.cache, texts).vectors
        if len(rows) > _TOLD_EVERY and start % _TOLD_EVERY == 0:
            say(f"embedding: {start:,} of {len(rows):,} prompts")
    return vectors


def _threads(rows: int) -> int:
    return (os.cpu_count() or 1) if rows >= _ROWS_FOR_THREADS else 1
