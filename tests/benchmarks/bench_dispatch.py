"""Calls per second and CPU per call of the dispatch stage, every guarantee on.

    python tests/benchmarks/bench_dispatch.py --transport direct --latency-ms 0

A batch of requests that name their model goes through the real pipeline: submitted to the store, announced
by upkeep through Redis, called by one dispatch worker (ledger, deduplication, rate limits, outcomes stored),
until the batch is complete. Workers are up and warm before the clock starts. CPU is user plus system time of
each role's processes, taken from the kernel: unlike wall time it says something on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.settings import DispatchSettings  # noqa: E402
from tests.support.stack import Stack, WorkerProcess  # noqa: E402
from workers.simulator import Fault, SimulatorProcess, default_config  # noqa: E402
from workers.worker.run import Role  # noqa: E402

MODEL = "sim-nano"
#: a lognormal of median 200 ms has its 99th percentile at 800 ms
SIGMA = 0.596
FAILURES = {Fault.RATE_LIMIT_SECONDS: 0.05, Fault.SERVER_ERROR: 0.02, Fault.HANG: 0.005}
ANSWER_TOKENS = 60
WARM_UP = 64
GROUP_SIZE = DispatchSettings().group_size


@dataclass(frozen=True, kw_only=True)
class Run:
    """One configuration of the benchmark."""

    transport: str
    calls: int
    in_flight: int
    processes: int
    latency_ms: float
    failing: bool
    timeout_s: float
    store_url: str | None = None
    provider: str = "openai"
    group_size: int = GROUP_SIZE


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run took, in seconds; `cpu` by role, `billed_twice` by the provider's own books."""

    wall_s: float
    cpu_s: dict[str, float]
    peak_mib: float
    answered: int
    received: int
    billed_twice: int


def main() -> None:
    run = options()
    with provider(run) as simulator:
        result = measure(run, simulator)
    print(json.dumps(asdict(run)))
    print(json.dumps(asdict(result)))
    per_call = (f"{role} {seconds / run.calls * 1e3:.2f} ms" for role, seconds in result.cpu_s.items())
    print(f"{run.calls / result.wall_s:.0f} calls/s; CPU per call: {', '.join(per_call)}")


def options() -> Run:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transport", choices=("auto", "litellm", "direct"), default="direct")
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--in-flight", type=int, default=256, help="over all processes")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    parser.add_argument("--failing", action="store_true", help="5 %% 429, 2 %% 500, 0.5 %% hangs")
    parser.add_argument("--timeout-s", type=float, default=60.0)
    parser.add_argument("--store-url")
    parser.add_argument("--provider", default="openai", help="LiteLLM's prefix")
    parser.add_argument("--group-size", type=int, default=GROUP_SIZE)
    return Run(**vars(parser.parse_args()))


@contextmanager
def provider(run: Run) -> Iterator[SimulatorProcess]:
    """The simulator as the run wants it."""
    base = default_config()
    models = [
        replace(
            model,
            latency_ms=run.latency_ms,
            latency_sigma=SIGMA,
            failures=FAILURES if run.failing else {},
            output_tokens=dict.fromkeys(model.output_tokens, ANSWER_TOKENS),
        )
        for model in base.models
    ]
    with SimulatorProcess(replace(base, models=tuple(models))) as simulator:
        yield simulator


def measure(run: Run, simulator: SimulatorProcess) -> Result:
    """One batch through one dispatch worker of `processes` processes."""
    with (
        tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder,
        open_stack(run, simulator, Path(folder)) as (stack, workers),
    ):
        send(stack, WARM_UP, seed="warm", group_size=run.group_size)
        return timed(run, stack, simulator, workers)


@contextmanager
def open_stack(
    run: Run, simulator: SimulatorProcess, home: Path
) -> Iterator[tuple[Stack, dict[Role, WorkerProcess]]]:
    """A stack whose upkeep and dispatch workers are up."""
    settings = {
        "upkeep": {"lease_s": 60.0, "sweep_s": 1.0, "republish_s": 30.0},
        "dispatch": {"in_flight": run.in_flight // run.processes},
    }
    model = {"transport": run.transport, "timeout_s": run.timeout_s, "max_concurrency": run.in_flight}
    models = {
        profile.name: {**model, "litellm": f"{run.provider}/{profile.name}"}
        for profile in default_config().models
    }
    with Stack(home, simulator=simulator, settings=settings, models=models, store_url=run.store_url) as stack:
        workers = {
            Role.UPKEEP: stack.start(Role.UPKEEP),
            Role.DISPATCH: stack.start(Role.DISPATCH, "--concurrency", str(run.processes)),
        }
        stack.await_ready(workers[Role.DISPATCH])
        yield stack, workers


def timed(
    run: Run, stack: Stack, simulator: SimulatorProcess, workers: Mapping[Role, WorkerProcess]
) -> Result:
    """The batch itself."""
    simulator.client.reset()
    before = {role: cpu_of(worker.process.pid) for role, worker in workers.items()}
    before_simulator, before_self = cpu_of(simulator.pid or 0), time.process_time()
    print(f"workers are up: {run.calls} calls begin", file=sys.stderr, flush=True)
    began = time.perf_counter()
    row = send(stack, run.calls, seed="peers", group_size=run.group_size)
    wall_s = time.perf_counter() - began
    cpu = {str(role): cpu_of(worker.process.pid) - before[role] for role, worker in workers.items()}
    cpu["submit"] = time.process_time() - before_self
    cpu["simulator"] = cpu_of(simulator.pid or 0) - before_simulator
    billed = simulator.client.billed().values()
    return Result(
        wall_s=wall_s,
        cpu_s=cpu,
        peak_mib=rss_of(workers[Role.DISPATCH].process.pid) / 2**20,
        answered=row["succeeded"],
        received=simulator.client.stats()["received"],
        billed_twice=sum(prompt["calls"] > 1 for prompt in billed),
    )


def send(stack: Stack, calls: int, *, seed: str, group_size: int = GROUP_SIZE) -> dict[str, int]:
    """Submit and wait for the end."""
    batch_id = stack.submit(requests(calls, seed=seed), group_size=group_size)
    return stack.wait(batch_id, timeout_s=600)


def requests(calls: int, *, seed: str) -> Iterator[dict[str, object]]:
    """Prompts of about 300 characters, none like another, that name their model."""
    for number in range(calls):
        yield {"id": f"{seed}-{number}", "model": MODEL, "prompt": prompt(number, seed)}


def prompt(number: int, seed: str) -> str:
    return f"Question {number} of {seed}: why is an answer to this short? " + "Consider every side. " * 12


def cpu_of(pid: int) -> float:
    """User and system seconds of a process and its children, the dead ones included."""
    total = 0.0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def rss_of(pid: int) -> int:
    return sum(
        p.memory_info().rss for p in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
