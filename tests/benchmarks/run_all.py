"""Runs every benchmark, prints what each says, and writes it to docs/performance.md: `make bench`.

    python tests/benchmarks/run_all.py [NAME …] [--quick]

Everything between the two marks of the page is replaced by this run: machine, versions, and each benchmark's
command and output. One that fails is reported as such. With --quick, small sizes and no page: does it run?
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
PACKAGES = ("aiohttp", "celery", "faiss-cpu", "lightgbm", "litellm", "openai", "redis", "SQLAlchemy", "torch")


@dataclass(frozen=True)
class Benchmark:
    """A script, the arguments of the published run and of a quick one, and how long it may take."""

    name: str
    title: str
    arguments: str
    quick: str
    limit_s: float = 900.0

    @property
    def script(self) -> str:
        return f"tests/benchmarks/bench_{self.name}.py"


BENCHMARKS = (
    Benchmark(
        "end_to_end",
        "Routed only, end to end, next to a plain script",
        "20000",
        "100 --script 32 --minilm-prompts 64",
    ),
    Benchmark("embedding", "Embedding, next to what the machine can multiply", "", "--prompts 32 --rounds 1"),
    Benchmark("route_stage", "The route stage's arithmetic", "", ""),
    Benchmark("startup", "Start-up", "", "--rounds 1"),
    Benchmark("peers", "2,000 calls, next to what a user would pick instead", "--rounds 1", "--calls 50"),
    Benchmark(
        "dispatch", "Calls at no latency, direct: what a process can do", "--latency-ms 0", "--calls 64"
    ),
    Benchmark("litellm", "What LiteLLM's settings cost", "--calls 1000", "--calls 32"),
    Benchmark("store", "What the store adds to a call", "", "--calls 256"),
    Benchmark(
        "scaling",
        "Dispatch processes on one batch and on several, on PostgreSQL",
        "",
        "--groups 4 --delay-ms 1",
    ),
    Benchmark("scaling_sqlite", "The same on one SQLite file", "", "--groups 4"),
    Benchmark("capacity", "The capacity model and six measured points", "", "--quick"),
    Benchmark("page", "The live page of a batch of 1,000,000 requests", "", "--rows 2000 --refreshes 5"),
    Benchmark("idle_upkeep", "An upkeep worker while no batch runs", "60", "3"),
    Benchmark("million", "50,000 calls at no latency on PostgreSQL, archived and restored", "50000", "200"),
    Benchmark("ingest", "1,000,000 lines in, 1,000,000 results out", "1000000", "5000"),
)


def main() -> int:
    """1 if a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(b.name for b in BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    chosen = [b for b in BENCHMARKS if not options.names or b.name in options.names]
    sections = [facts()]
    print(sections[0], flush=True)
    failed = 0
    for benchmark in chosen:
        section, passed = run(benchmark, benchmark.quick if options.quick else benchmark.arguments)
        print(section, flush=True)
        sections.append(section)
        failed += not passed
    if not options.quick and not options.names:
        write(sections)
    return int(failed > 0)


def run(benchmark: Benchmark, arguments: str) -> tuple[str, bool]:
    """The benchmark's section of the page, and whether it ran to its end."""
    command = [sys.executable, benchmark.script, *arguments.split()]
    shown = f"python {benchmark.script} {arguments}".strip()
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=benchmark.limit_s)
        passed, said = done.returncode == 0, done.stdout if done.returncode == 0 else done.stderr
    except subprocess.TimeoutExpired:
        passed, said = False, f"not done after {benchmark.limit_s:.0f} s"
    took = time.monotonic() - began
    lines = [
        f"### {benchmark.title}",
        "",
        f"`{shown}`, {took:.0f} s, load {os.getloadavg()[0]:.1f} at its end:",
        "",
    ]
    text = (
        "\n".join(readable(said))
        if passed
        else f"It failed: `{(said.strip().splitlines() or ['?'])[-1][:300]}`"
    )
    return "\n".join([*lines, text, ""]), passed


def readable(said: str) -> Iterator[str]:
    """A benchmark's output without its lines for programs; sentences become list items, tables stay."""
    for line in said.strip().splitlines():
        if not line.startswith("{"):
            stands = not line or line.startswith(("|", "- ")) or line.endswith(":")
            yield line if stands else f"- {line}"


def facts() -> str:
    """What was measured on, and with what."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version}" for name, version in installed(PACKAGES))
    return (
        f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}; {versions}. "
        f"Load at the start: {os.getloadavg()[0]:.1f}.\n"
    )


def installed(packages: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in packages:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def processor() -> str:
    """The processor's name, as the kernel has it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(sections: Sequence[str]) -> None:
    """Replace what the page has between its marks."""
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n\n" + "\n".join(sections) + f"\n{END}{tail}")


if __name__ == "__main__":
    sys.exit(main())
