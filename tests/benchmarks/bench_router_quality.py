"""Router quality on labelled data, cross-validated by prompt: `make bench-quality [QUALITY_DATA=DIR]`.

Reads `llmrouter_train`, `routerbench_part` and `llmrouter_test` (`.jsonl.gz`) in `--data`, those that are
there; without any it says so and ends well. Embeddings are kept in `--cache`, the tables go to `--output`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality_baselines import BASELINES, Fitted

from router_core.data.categories import read_sample
from router_core.data.labelled_prompts import (
    LabelledPrompt,
    cost_matrix,
    model_names,
    read_labelled,
    score_matrix,
)
from router_core.data.splits import assign_folds, splits
from router_core.embedding.embedder import Embedder
from router_core.embedding.model_files import DEFAULT_MODEL
from router_core.embedding.static_encoder import static_files
from router_core.evaluation import Evaluation, evaluate
from router_core.evaluation.evaluate import summarise_data, summarise_routers
from router_core.evaluation.evaluated_policies import PolicyNumbers
from router_core.evaluation.joined_outputs import join_outputs
from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.metrics.curves import WEIGHTS, CostWeightSweep
from router_core.evaluation.outcomes import expected_costs
from router_core.evaluation.report import build_report
from router_core.evaluation.router_outputs import (
    RouterOutputs,
    collect_outputs,
    weighted_choice,
)
from router_core.evaluation.strategies import Strategy
from router_core.evaluation.tables import format_estimate, format_number, markdown_table
from router_core.router import Router
from router_core.training.train import train
from tasks.settings import STATIC
from workers.routers.embedders import static_folder

Array = NDArray[np.float32]
Data = tuple[list[LabelledPrompt], Array]

CROSS_VALIDATED = ("llmrouter_train", "routerbench_part")
#: Trained on the first, evaluated on the rows of the second whose prompts are not in the first.
HELD_OUT = ("llmrouter_train", "llmrouter_test")
ROWS = {
    "best single": "best single model",
    "category best": "category's best model",
    "kNN-300": "kNN, 300 neighbours",
    "winner": "5 nearest neighbours vote for their winners",
    "LightGBM": "LightGBM per model on embeddings",
    "LightGBM centred": "the same, learning scores less the prompt's mean",
    "CARGO": "CARGO as its authors coded it, leak-free",
    "CARGO careful": "the same with the boosters above for its forests",
    "router: quality": "**router, `quality`**",
    "router: saving": "**router, `saving`**",
    "oracle": "oracle",
}

_MEANING = """
Splits are by prompt; ± is one standard error by a paired bootstrap over prompts. *Headroom* is (quality
minus best single) / (oracle minus best single). *Cost at equal quality* is the cost relative to the
best single model's at the cost weight that keeps its quality: the weight is chosen on one half of the
prompts, cost and gain are read on the other, both ways, over ten such splits; in brackets, chosen and
read on the same prompts. *AIQ* is RouterBench's: the mean height of the cost-quality curve between the
cheapest and the dearest single model. Ways choose by expected costs and are charged those in the data.
How the baselines learn is said in tests/benchmarks/quality_baselines.py; CARGO's is what its authors
coded but for the time it takes: 100 trees of 15 bins a feature instead of 200 exact ones, 30,000 of the
pairs instead of all.
""".strip().splitlines()


def main() -> None:
    """Write the tables of all data sets that are there."""
    options = parser().parse_args()
    names = [name for name in sorted({*CROSS_VALIDATED, *HELD_OUT}) if path_of(options, name).is_file()]
    if not names:
        print(
            f"bench-quality: skipped, no labelled data in {options.data} (QUALITY_DATA=DIR)", file=sys.stderr
        )
        return
    started = time.perf_counter()
    bench = Bench(options)
    sections = list(bench.sections(names))
    minutes = (time.perf_counter() - started) / 60
    text = "\n".join([*head(options, minutes), *sections])
    options.output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    print(text)


def parser() -> argparse.ArgumentParser:
    """Return the options of the benchmark."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path("../shared/data"))
    options.add_argument("--cache", type=Path, default=Path("build/vectors"))
    options.add_argument("--output", type=Path, default=Path("build/quality.md"))
    options.add_argument("--embedder", default=DEFAULT_MODEL, help="static, a hub id or a folder")
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options.add_argument(
        "--without", default="", help="baselines to leave out, the slow ones being LightGBM,CARGO"
    )
    options.add_argument("--rows", type=int, default=None, help="only the first so many, for a quick look")
    return options


def embedder_of(name: str, *, threads: int) -> Embedder:
    """Return the embedder that `waybill train --embedder` would take."""
    if name == STATIC:
        return Embedder.from_files(STATIC, static_files(static_folder(print)))
    return Embedder.load(name, threads=threads)


def path_of(options: argparse.Namespace, name: str) -> Path:
    """Return where a data set lies."""
    return options.data / f"{name}.jsonl.gz"


class Bench:
    """The data sets, read and embedded once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.embedder = embedder_of(options.embedder, threads=options.threads)
        self.sample = self.vectors("sample", read_sample())

    def sections(self, names: Sequence[str]) -> Iterator[str]:
        """Yield a section for each comparison that the data allow."""
        for name in CROSS_VALIDATED:
            if name in names:
                rows, vectors = self.data(name)
                tell(f"{name}: {len(rows):,} prompts")
                found, took = self.cross_validated(rows, vectors)
                yield section(f"`{name}`, {self.options.folds} folds by prompt", found, took)
        if set(HELD_OUT) <= set(names):
            yield self.held_out()

    def data(self, name: str) -> Data:
        """Return rows and vectors; the vectors come from the cache, or go there."""
        rows = list(read_labelled(path_of(self.options, name)))[: self.options.rows]
        return rows, self.vectors(name, rows)

    def vectors(self, name: str, rows: Sequence[LabelledPrompt]) -> Array:
        """Return the rows' vectors, from the cache or newly made."""
        cached = self.options.cache / f"{name}.{len(rows)}.{self.embedder.fingerprint[:12]}.npy"
        if not cached.is_file():
            tell(f"{name}: embedding {len(rows):,} prompts")
            cached.parent.mkdir(parents=True, exist_ok=True)
            np.save(cached, self.embedder.encode([row.prompt for row in rows]).astype(np.float16))
        return np.load(cached, allow_pickle=False).astype(np.float32)

    def cross_validated(self, rows: list[LabelledPrompt], vectors: Array) -> tuple[Evaluation, float]:
        """Return the evaluation on all folds, and the seconds that one training took."""
        models = model_names(rows)
        parts, routers, order, took = [], [], [], []
        fold = assign_folds([row.prompt for row in rows], folds=self.options.folds, seed=self.options.seed)
        for learnt, held_out in splits(fold):
            tell(f"fold {len(parts) + 1}")
            started = time.perf_counter()
            router = self.train([rows[row] for row in learnt], vectors[learnt])
            took.append(time.perf_counter() - started)
            known = [rows[row] for row in learnt], vectors[learnt]
            new = [rows[row] for row in held_out], vectors[held_out]
            parts.append(self.outputs(router, known, new, models))
            routers.append(router)
            order.append(held_out)
        outputs = join_outputs(parts, np.concatenate(order))
        prompts = [row.prompt for row in rows]
        data, subject = summarise_data(rows, outputs, models=models), summarise_routers(routers, models)
        return build_report(outputs, prompts, data, subject, seed=self.options.seed), float(np.mean(took))

    def held_out(self) -> str:
        """Return the section of the router that is trained on one set and evaluated on another."""
        (rows, vectors), (new, new_vectors) = map(self.data, HELD_OUT)
        tell(f"{HELD_OUT[1]}: {len(new):,} prompts")
        started = time.perf_counter()
        router = self.train(rows, vectors)
        took = time.perf_counter() - started
        fresh = np.flatnonzero(~router.training_prompts.contains([row.prompt for row in new]))
        kept, kept_vectors = [new[row] for row in fresh], new_vectors[fresh]
        outputs = self.outputs(router, (rows, vectors), (kept, kept_vectors), router.models)
        honest = evaluate(router, new, new_vectors, threads=self.options.threads)
        found = build_report(
            outputs, [row.prompt for row in kept], honest.data, honest.router, seed=self.options.seed
        )
        title = f"`{HELD_OUT[1]}`, trained on all of `{HELD_OUT[0]}`"
        return section(title, found, took)

    def train(self, rows: Sequence[LabelledPrompt], vectors: Array) -> Router:
        """Train the router as `waybill train` does."""
        return train(
            rows,
            vectors,
            embedder_id=self.embedder.name,
            embedder_fingerprint=self.embedder.fingerprint,
            sample_vectors=self.sample,
            seed=self.options.seed,
            threads=self.options.threads,
        )

    def outputs(self, router: Router, known: Data, new: Data, models: tuple[str, ...]) -> RouterOutputs:
        """Return what the router and the baselines chose on new prompts, all learning from the same ones."""
        found = collect_outputs(
            router,
            *new,
            models,
            numbers=PolicyNumbers(),
            score_range=router.hyperparameters.score_range,
            threads=self.options.threads,
        )
        scores = score_matrix(known[0], models)
        costs = expected_costs(cost_matrix(new[0], models), [len(row.prompt) for row in new[0]])
        best = int(np.nanmean(scores, axis=0).argmax())
        ways, sweeps = dict(found.strategies), {"router": found.sweeps["router"]}
        left_out = self.options.without.split(",")
        for name, fit in BASELINES.items():
            if name in left_out:
                continue
            fitted: Fitted = fit(known[1], scores, new[1], self.options.threads)
            unit = float(np.nanmax(scores) - np.nanmin(scores)) or 1.0
            choices = [
                weighted_choice(fitted.predicted, costs, best_single=best, weight=weight, score_range=unit)
                for weight in WEIGHTS
            ]
            sweeps[name] = CostWeightSweep(np.stack(choices))
            ways[name] = Strategy.from_choice(fitted.predicted.argmax(axis=1), len(models), fitted.asked)
        return replace(found, strategies=ways, sweeps=sweeps)


def section(title: str, found: Evaluation, took: float) -> str:
    """Return one data set's tables."""
    left_out = [f"{note}." for note in found.data.notes() if "left out" in note]
    held = ", ".join(found.router.conservative_policies) or "none"
    facts = f"{found.data.used:,} prompts, {len(found.router.models)} models. Training took {took:.0f} s."
    return "\n".join(
        [
            f"## {title}",
            "",
            " ".join([facts, *left_out, f"Policies in which no deviation is significant: {held}."]),
            "",
            quality_table(found),
            "",
            wins_table(found),
            "",
        ]
    )


def quality_table(found: Evaluation) -> str:
    """Return the main table."""
    head = ("", "quality", "headroom", "relative cost", "best-set top-1", "cost at equal quality", "AIQ")
    rows = []
    names = {line.name for line in found.strategies}
    for name, label in ROWS.items():
        if name not in names:
            continue
        line = found[name]
        curve = name if name in found.curves else "router" if name == "router: quality" else ""
        rows.append(
            (
                label,
                format_estimate(line.quality),
                percent(line.headroom, signed=True),
                format_estimate(line.relative_cost, digits=3),
                percent(line.best_set_top1),
                equal_quality(found, curve),
                format_estimate(found.curves[curve].aiq) if curve else "",
            )
        )
    single = found.curves["single models"].aiq
    note = f"AIQ of the single models, without any router: {format_estimate(single)}."
    return markdown_table(head, rows) + f"\n\n{note}"


def equal_quality(found: Evaluation, curve: str) -> str:
    """Return the cost at equal quality and its gain, weight chosen on the other half."""
    if not curve:
        return ""
    line = found[f"{curve}: equal quality"]
    same = format_number(found.curves[curve].reached_at, "never reached")
    if line.relative_cost.value == 1:
        return f"never reached (same prompts: {same})"
    gain = f"{line.gain.value:+.4f} ± {line.gain.error:.4f}"
    return f"{format_estimate(line.relative_cost, digits=3)}, gain {gain} (same prompts: {same})"


def wins_table(found: Evaluation) -> str:
    """Return the win rates of the paper's policy and of the router against every single model."""
    names = {line.name for line in found.strategies}
    ways = [way for way in ("CARGO", "router: quality", "router: saving") if way in names]
    head = ("win rate against", *(f"{ROWS[way].strip('*')}: paper's / ties at ½" for way in ways))
    rows = [(model, *(wins(found, way, model) for way in ways)) for model in found.router.models]
    return markdown_table(head, rows)


def wins(found: Evaluation, way: str, model: str) -> str:
    """Return both win rates against one model."""
    rate = found[way].win_rates[model]
    return f"{rate.paper.value:.1%} / {percent(rate.fair)}"


def percent(figure: EstimateWithError, *, signed: bool = False) -> str:
    """Return a share with its error."""
    if not np.isfinite(figure.value):
        return "?"
    return (
        f"{figure.value:+.1%} ± {figure.error:.1%}" if signed else f"{figure.value:.1%} ± {figure.error:.1%}"
    )


def head(options: argparse.Namespace, minutes: float) -> list[str]:
    """Return what the figures are and how to make them again."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    python = platform.python_version()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {python}"
    return [
        "# Router quality",
        "",
        "<!-- Written by `make bench-quality`; what the figures mean is said in method.md. -->",
        "",
        "    make bench-quality QUALITY_DATA=DIR"
        + (f" WITHOUT={options.without}" if options.without else "")
        + (f" EMBEDDER={options.embedder}" if options.embedder != DEFAULT_MODEL else ""),
        "",
        f"{day}, {machine}, seed {options.seed}, {minutes:.0f} minutes. Embedder: {options.embedder}.",
        "",
        *_MEANING,
        "",
    ]


def tell(text: str) -> None:
    """Say how far it is."""
    print(f"bench-quality: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
