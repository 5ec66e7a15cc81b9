"""Lines per second and memory of an ingest, then of the results' export.

    python tests/benchmarks/bench_ingest.py [LINES] [--store-url URL] [--against TREE]

A file of OpenAI Batch lines (250 bytes each, no two alike) is submitted: read, checked, hashed for
duplicates, stored with its chunks. Nobody works on it meanwhile. Then every request is given a decision, a
settled call and an answer of 600 bytes by plain SQL, and the results are exported as OpenAI Batch output. The
slope is that of a straight line through this process's memory, sampled five times a second after the first
tenth of each phase. `--against` runs the same script of another working tree in turn with this one, each in
a process of its own, and prints the ratios of their CPU times with the standard error over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from sqlalchemy import text

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.formats.writing import ResultFormat, write_results  # noqa: E402
from tasks.settings import Settings  # noqa: E402
from tasks.store import results  # noqa: E402
from tasks.store.engine import Store  # noqa: E402
from tasks.store.schema import ensure_schema  # noqa: E402
from tasks.submission.options import options_for  # noqa: E402
from tasks.submission.source import from_file  # noqa: E402
from tasks.submission.submit import submit  # noqa: E402
from tests.support.repeating import repeating  # noqa: E402

SAMPLE_S = 0.2


@dataclass
class Phase:
    """One phase: its name, and what it took."""

    name: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory: list[tuple[float, int]] = field(default_factory=list)

    def slope_mib(self) -> float:
        """MiB gained over the phase after its first tenth, by least squares."""
        warm = np.array([sample for sample in self.memory if sample[0] > self.wall_s / 10])
        if len(warm) < 3:
            return 0.0
        return float(np.polyfit(warm[:, 0], warm[:, 1], 1)[0] * self.wall_s / 2**20)


def main() -> None:
    """Print one JSON line with every figure, and a sentence for each phase."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--store-url", help="another store than a new SQLite file")
    parser.add_argument("--against", type=Path, metavar="TREE", help="compare with another working tree")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of a comparison")
    options = parser.parse_args()
    if options.against is not None:
        compare(options.against, options.lines, options.rounds)
        return
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        phases = run(options.lines, Path(folder), options.store_url)
    figures = {"lines": options.lines, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    for phase in phases:
        figures[f"{phase.name}_per_s"] = options.lines / phase.wall_s
        figures[f"{phase.name}_cpu_us"] = phase.cpu_s / options.lines * 1e6
        figures[f"{phase.name}_slope_mib"] = phase.slope_mib()
        print(
            f"{phase.name}: {options.lines / phase.wall_s:,.0f} lines/s, "
            f"{phase.cpu_s / options.lines * 1e6:.1f} µs CPU a line, "
            f"memory {phase.slope_mib():+.1f} MiB over the phase"
        )
    print(json.dumps(figures))


def compare(other: Path, lines: int, rounds: int) -> None:
    """Run both trees in turn and print how the other one's CPU time relates to this one's."""
    pairs = [(figures_of(other, lines), figures_of(ROOT, lines)) for _ in range(rounds)]
    for phase in ("ingest", "export"):
        ratios = [theirs[f"{phase}_cpu_us"] / ours[f"{phase}_cpu_us"] for theirs, ours in pairs]
        error = np.std(ratios, ddof=1) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
        ours = np.mean([mine[f"{phase}_cpu_us"] for _, mine in pairs])
        print(
            f"{phase}: {np.mean(ratios):.3f} ± {error:.3f} of the speed of {other} "
            f"({ours:.1f} µs CPU a line here, {rounds} rounds of {lines:,} lines)"
        )


def figures_of(tree: Path, lines: int) -> dict[str, float]:
    """Return the figures that a tree's own script prints."""
    script = tree / "tests/benchmarks/bench_ingest.py"
    ended = subprocess.run(
        [sys.executable, str(script), str(lines)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )
    figures: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def run(lines: int, folder: Path, store_url: str | None) -> list[Phase]:
    """Ingest and export that many lines."""
    source = folder / "batch.jsonl"
    write_batch(source, lines)
    print(f"{lines} lines, {source.stat().st_size / 2**20:.0f} MiB", file=sys.stderr, flush=True)
    store = Store(store_url or f"sqlite:///{folder / 'waybill.db'}")
    ensure_schema(store)
    settings = Settings.model_validate(
        {"models": [{"name": "small", "litellm": "openai/small", "input_price": 1, "output_price": 1}]}
    )
    with measured("ingest") as ingest:
        batch_id = submit(store, from_file(source, settings), source="bench", options=options_for(settings))
    answer_all(store)
    with measured("export") as exported:
        counts = write_results(
            results.iter_results(store, batch_id), folder / "results.jsonl", format=ResultFormat.OPENAI
        )
    assert counts.written == lines
    store.close()
    return [ingest, exported]


def answer_all(store: Store) -> None:
    """What a pipeline would have left behind."""
    body = {
        "object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": "x" * 500}}],
    }
    with store.write() as connection:
        for table, columns, values in (
            (
                "decision",
                "model, predicted, ranking, used_fallback, reason",
                "'small', '{}', '[]', false, 'named'",
            ),
            ("attempt", "number, model, state, cost", "1, 'small', 'succeeded', 7"),
            (
                "outcome",
                "status, model, body, status_code, latency_ms, attempts",
                "'succeeded', 'small', :body, 200, 9, 1",
            ),
        ):
            connection.execute(
                text(
                    f"INSERT INTO {table} (request_id, batch_no, {columns}) "
                    f"SELECT id, batch_no, {values} FROM request"
                ).bindparams(**({"body": json.dumps(body)} if table == "outcome" else {}))
            )


def write_batch(path: Path, lines: int) -> None:
    """Lines like those that users of the OpenAI Batch API have."""
    with path.open("w") as stream:
        for number in range(lines):
            prompt = f"Question {number}: why is the sky of planet {number % 97} green? One sentence, please."
            body = {"model": "auto", "messages": [{"role": "user", "content": prompt}], "max_tokens": 100}
            line = {"custom_id": f"row-{number}", "method": "POST", "url": "/v1/chat/completions"}
            stream.write(json.dumps({**line, "body": body}) + "\n")


@contextmanager
def measured(name: str) -> Iterator[Phase]:
    """Time a phase and sample this process's memory meanwhile."""
    phase, process = Phase(name), psutil.Process(os.getpid())
    began, began_cpu = time.perf_counter(), time.process_time()

    def sample() -> None:
        phase.memory.append((time.perf_counter() - began, process.memory_info().rss))

    with repeating(sample, SAMPLE_S):
        yield phase
    phase.wall_s, phase.cpu_s = time.perf_counter() - began, time.process_time() - began_cpu


if __name__ == "__main__":
    main()
