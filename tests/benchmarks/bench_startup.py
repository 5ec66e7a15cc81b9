"""How long commands and workers take to start.

    python tests/benchmarks/bench_startup.py [--rounds 5]

Commands: the fastest of some rounds, wall and CPU time of the process, over a store that exists. Workers:
from the start of `waybill worker ROLE` to the end of its first chunk, a batch of four prompts that waits for
it; model, router and libraries are loaded then. Where others use the machine, CPU time is what tells: wall
time is then a multiple of it.
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
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.stack import Stack  # noqa: E402
from workers.demo.data.labelled import LABELLED_PATH  # noqa: E402
from workers.simulator import SimulatorProcess  # noqa: E402
from workers.worker.run import Role, environment_of  # noqa: E402

COMMANDS = {"waybill --help": (("--help",), 0.3), "waybill status": (("status",), 0.6)}
WORKERS = {Role.EMBED: 10.0, Role.ROUTE: 6.0, Role.DISPATCH: 6.0}

#: the batch's counter that says that a role has done its part
DONE = {Role.EMBED: "embedded", Role.ROUTE: "routed", Role.DISPATCH: "succeeded"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        home = Path(folder)
        waybill("status", cwd=home)
        for name, (arguments, bar) in COMMANDS.items():
            runs = [waybill(*arguments, cwd=home) for _ in range(rounds)]
            found[name] = {"wall_s": min(r[0] for r in runs), "cpu_s": min(r[1] for r in runs), "bar_s": bar}
        waybill("train", str(LABELLED_PATH), "-o", "router", "--embedder", "static", cwd=home)
        found |= workers(home)
    print("| | wall, s | CPU, s | bar, s |\n|---|---|---|---|")
    for name, row in found.items():
        print(f"| {name} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} | {row['bar_s']:g} |")
    print(f"\nload {os.getloadavg()[0]:.1f}")
    print(json.dumps(found))


def waybill(*arguments: str, cwd: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "workers.cli", *arguments]
    subprocess.run(command, check=True, capture_output=True, cwd=cwd, env=environment)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def workers(home: Path) -> dict[str, dict[str, float]]:
    """Each role alone, on a stack whose router embeds statically."""
    settings = {"router": {"path": str(home / "router")}}
    direct = {name: {"transport": "direct"} for name in ("sim-nano", "sim-coder", "sim-writer", "sim-large")}
    found = {}
    with SimulatorProcess() as simulator:
        for models, note in ((direct, "direct"), ({}, "LiteLLM")):
            with Stack(home / note, simulator=simulator, settings=settings, models=models) as stack:
                stack.start(Role.UPKEEP)
                batch_id = stack.submit([f"Name the prime after {n}." for n in (11, 13, 17, 19)])
                for role, bar in WORKERS.items():
                    name = f"worker {role}" + (f", {note}" if role is Role.DISPATCH else "")
                    found[name] = {**started(stack, role, batch_id), "bar_s": bar}
    return found


def started(stack: Stack, role: Role, batch_id: str) -> dict[str, float]:
    """Seconds until the worker has done its part of the batch."""
    began = time.perf_counter()
    worker = stack.start(role, environment=environment_of(role, 1, cores=os.cpu_count() or 1))
    stack.wait(batch_id, until=lambda row: row[DONE[role]] == 4)
    wall = time.perf_counter() - began
    main = psutil.Process(worker.process.pid)
    cpu = sum(sum(one.cpu_times()[:2]) for one in (main, *main.children(recursive=True)))
    return {"wall_s": wall, "cpu_s": cpu}


if __name__ == "__main__":
    main()
