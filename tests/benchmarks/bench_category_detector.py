"""Measure the category detector: `python tests/benchmarks/bench_category_detector.py [FILE…]`.

First on the built-in sample, five-fold cross-validation by document; then, having learnt from the sample
alone, on FILEs of labelled prompts, which it has never seen. `--embedder` is that of training. Prints
accuracy over the five categories and by task, the confusion matrix, the Brier score, and how far
probabilities are from frequencies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from router_core.data.categories import SAMPLE_PATH, read_sample  # noqa: E402
from router_core.data.labelled_prompts import LabelledPrompt, read_labelled  # noqa: E402
from router_core.embedding.embedder import Embedder  # noqa: E402
from router_core.embedding.static_encoder import static_files  # noqa: E402
from router_core.features.prompt_features import PromptFeatures  # noqa: E402
from router_core.predictors.category_classifier import NONE_FITS, SoftmaxClassifier  # noqa: E402
from router_core.predictors.category_examples import CategoryTrainingData, LabelledFeatures  # noqa: E402
from tasks.settings import STATIC  # noqa: E402
from tests.support.documents import documents  # noqa: E402
from workers.routers.embedders import static_folder  # noqa: E402

FOLDS = 5
Array = NDArray[np.float32]


def main() -> None:
    """Print the figures of the sample, then those of each file."""
    options = parser().parse_args()
    sample = read_sample()
    category_data = CategoryTrainingData(
        LabelledFeatures.of(sample, vectors_of(SAMPLE_PATH, sample, options)), None
    )
    classifier = category_data.fit_classifier()
    fold = np.random.default_rng(options.seed).integers(FOLDS, size=len(sample))[documents(sample)]
    report("sample, cross-validated", sample, classifier, category_data.posterior(classifier, fold))
    for path in options.files:
        rows = list(read_labelled(path))
        vectors = vectors_of(path, rows, options)
        report(
            path.name,
            rows,
            classifier,
            classifier.posterior(PromptFeatures.of(vectors, [row.prompt for row in rows]).category_inputs()),
        )


def parser() -> argparse.ArgumentParser:
    """Return the options of the benchmark."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="*", type=Path)
    options.add_argument("--embedder", default=STATIC, help="static, a hub id or a folder")
    options.add_argument("--cache", type=Path, default=Path("build/vectors"))
    options.add_argument("--seed", type=int, default=0)
    return options


def vectors_of(path: Path, rows: Sequence[LabelledPrompt], options: argparse.Namespace) -> Array:
    """Return the vectors of the rows, float32 [n, d], from the cache or newly made."""
    cached = options.cache / f"{path.name.split('.')[0]}.{Path(options.embedder).name}.npy"
    if not cached.exists():
        options.cache.mkdir(parents=True, exist_ok=True)
        np.save(cached, embedder_of(options.embedder).encode([row.prompt for row in rows]))
    return np.asarray(np.load(cached, allow_pickle=False), dtype=np.float32)


def embedder_of(name: str) -> Embedder:
    """Return the embedder that `waybill train --embedder` would take."""
    if name == STATIC:
        return Embedder.from_files(STATIC, static_files(static_folder(print)))
    return Embedder.load(name)


def report(
    name: str, rows: Sequence[LabelledPrompt], classifier: SoftmaxClassifier, posterior: Array
) -> None:
    """Print all figures of one set."""
    truth = np.array([row.category for row in rows])
    found = np.array([*classifier.categories, NONE_FITS])[classifier.decide(posterior)]
    hits, five = found == truth, truth != NONE_FITS
    error = np.sqrt(hits[five].mean() * (1 - hits[five].mean()) / five.sum())
    macro = np.mean([hits[truth == category].mean() for category in set(truth[five].tolist())])
    print(f"\n## {name}: {len(rows)} prompts\n")
    print(f"accuracy over the five {hits[five].mean():.3f} ± {error:.3f}, macro {macro:.3f}")
    print(f"accuracy {hits.mean():.3f}, calibration error {calibration_error(posterior, hits):.3f}")
    print(f"Brier score {brier(posterior, truth, classifier):.3f}\n")
    print_confusion(truth, found, classifier.categories)
    print_reliability(posterior, hits)
    print_tasks(rows, hits)


def brier(posterior: Array, truth: NDArray[np.str_], classifier: SoftmaxClassifier) -> float:
    """Return the mean squared distance of probabilities from what was true, 0 to 2."""
    wanted = truth[:, None] == np.array(classifier.categories)[None]
    return float(((posterior - wanted) ** 2).sum(axis=1).mean())


def bins(posterior: Array) -> NDArray[np.int64]:
    """Return the tenth that the highest probability of each prompt falls in."""
    return np.minimum((posterior.max(axis=1) * 10).astype(np.int64), 9)


def calibration_error(posterior: Array, hits: NDArray[np.bool_]) -> float:
    """Return the mean distance of probability and frequency over the tenths (expected calibration error)."""
    place, sure = bins(posterior), posterior.max(axis=1)
    gaps = [
        abs(sure[place == b].mean() - hits[place == b].mean()) * (place == b).mean()
        for b in set(place.tolist())
    ]
    return float(sum(gaps))


def print_reliability(posterior: Array, hits: NDArray[np.bool_]) -> None:
    """Print probability and frequency by tenths of the highest probability."""
    place, sure = bins(posterior), posterior.max(axis=1)
    print("\n| probability | prompts | mean probability | right |\n|---|---|---|---|")
    for tenth in sorted(set(place.tolist())):
        own = place == tenth
        span = f"{tenth / 10:.1f} to {tenth / 10 + 0.1:.1f}"
        print(f"| {span} | {own.sum()} | {sure[own].mean():.2f} | {hits[own].mean():.2f} |")


def print_confusion(truth: NDArray[np.str_], found: NDArray[np.str_], categories: Sequence[str]) -> None:
    """Print how many prompts of each category (row) were given each category (column)."""
    print(
        "| is \\ found | "
        + " | ".join(categories)
        + " | recall |\n|---"
        + "|---" * (len(categories) + 1)
        + "|"
    )
    for category in categories:
        own = found[truth == category]
        if len(own):
            counts = " | ".join(str((own == column).sum()) for column in categories)
            print(f"| {category} | {counts} | {(own == category).mean():.2f} |")


def print_tasks(rows: Sequence[LabelledPrompt], hits: NDArray[np.bool_]) -> None:
    """Print the accuracy of each task, where rows name theirs."""
    tasks = np.array([row.task or "" for row in rows])
    named = [f"{task} {hits[tasks == task].mean():.2f}" for task in sorted(set(tasks.tolist())) if task]
    print("\nby task: " + ", ".join(named) if named else "")


if __name__ == "__main__":
    main()
