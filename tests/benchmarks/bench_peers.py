"""2,000 calls: Waybill with every guarantee on, next to what a user would pick instead, in one run.

    python tests/benchmarks/bench_peers.py [--rounds 2] [--calls 2000] [--in-flight 256]

Each peer is installed into an environment of its own (under --environments) and run in a process of its own,
one at a time, against a new simulator: median latency 200 ms, 99th percentile 800 ms, then the same with 5 %
429 (Retry-After 1 s), 2 % 500 and 0.5 % hangs. Everybody gets the same prompts, timeout and number in flight,
and may repeat calls. A peer's clock runs from its first call to its last answer, its imports left out.
Waybill's runs from the first line submitted to the last outcome stored, with workers that are up; in between
it goes through Redis and writes to SQLite with every commit on disk. Of several rounds, each one's fastest
counts.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.bench_dispatch import Run, measure, provider  # noqa: E402

SCRIPTS = Path(__file__).parent / "peers"
SOUND_TIMEOUT_S, FAILING_TIMEOUT_S = 60.0, 5.0
PEER_LIMIT_S = 240.0
#: the four of the bars
RIVALS = ("curator", "openai", "langchain", "distilabel")


@dataclass(frozen=True)
class Peer:
    """A peer: what to install, and what of it is shown."""

    name: str
    title: str
    requirements: tuple[str, ...]
    package: str


PEERS = (
    Peer("aiohttp", "bare aiohttp", ("aiohttp",), "aiohttp"),
    Peer("openai", "AsyncOpenAI, semaphore", ("openai",), "openai"),
    Peer("curator", "bespokelabs-curator", ("bespokelabs-curator",), "bespokelabs-curator"),
    Peer("langchain", "langchain `abatch`", ("langchain-openai",), "langchain-openai"),
    Peer("distilabel", "distilabel `OpenAILLM`", ("distilabel[openai]", "requests"), "distilabel"),
    Peer("litellm", "`litellm.acompletion`, semaphore", ("litellm",), "litellm"),
)


TITLES = {
    "waybill-direct": "**Waybill, direct** (1 dispatch process)",
    "waybill-litellm": "**Waybill, LiteLLM** (2 dispatch processes)",
    **{peer.name: peer.title for peer in PEERS},
}


def main() -> None:
    """Print a table for each scenario and one JSON line with every figure."""
    options = parser().parse_args()
    peers = {peer.name: install(peer, options.environments) for peer in PEERS if peer.name in options.peers}
    figures: dict[str, Any] = {"calls": options.calls, "in_flight": options.in_flight}
    for failing in (name == "failing" for name in options.scenarios):
        rows = [row for _ in range(options.rounds) for row in scenario(options, peers, failing=failing)]
        best = {
            name: min(same(rows, name), key=lambda row: row["wall_s"]) for name in {r["name"] for r in rows}
        }
        figures["failing" if failing else "sound"] = best
        print(table(best, failing=failing), flush=True)
    figures["versions"] = {name: version for name, (_, version) in peers.items()}
    print(json.dumps(figures))


def parser() -> argparse.ArgumentParser:
    """Return the options of the benchmark."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--calls", type=int, default=2_000)
    options.add_argument("--in-flight", type=int, default=256)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--peers", nargs="*", default=[peer.name for peer in PEERS])
    options.add_argument("--scenarios", nargs="*", default=["sound", "failing"])
    options.add_argument("--environments", type=Path, default=ROOT / ".waybill" / "bench" / "peers")
    return options


def install(peer: Peer, folder: Path) -> tuple[Path | None, str]:
    """The interpreter of the peer's environment and its version, or None and why there is none."""
    home = folder / peer.name
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        print(f"installing {peer.name} …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *peer.requirements]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return None, f"does not install: {(done.stderr.strip().splitlines() or ['?'])[-1][:200]}"
        (home / "installed").touch()
    show = f"import importlib.metadata as m; print(m.version('{peer.package}'))"
    return python, subprocess.run([str(python), "-c", show], capture_output=True, text=True).stdout.strip()


def scenario(
    options: argparse.Namespace, peers: Mapping[str, tuple[Path | None, str]], *, failing: bool
) -> Iterator[dict[str, Any]]:
    """One row for each contestant, in turn, each against a simulator of its own."""
    for transport, processes in (("direct", 1), ("litellm", 2)):
        yield ours(run_of(options, failing=failing, transport=transport, processes=processes))
    for name, (python, why) in peers.items():
        if python is None:
            yield {"name": name, "error": why, "wall_s": math.inf}
        else:
            yield theirs(name, python, run_of(options, failing=failing))


def run_of(
    options: argparse.Namespace, *, failing: bool, transport: str = "direct", processes: int = 1
) -> Run:
    """What everybody is given; transport and processes are Waybill's."""
    return Run(
        transport=transport,
        calls=options.calls,
        in_flight=options.in_flight,
        processes=processes,
        latency_ms=200.0,
        failing=failing,
        timeout_s=FAILING_TIMEOUT_S if failing else SOUND_TIMEOUT_S,
    )


def ours(run: Run) -> dict[str, Any]:
    """Waybill, through its real pipeline."""
    with provider(run) as simulator:
        result = measure(run, simulator)
    return {
        "name": f"waybill-{run.transport}",
        "wall_s": result.wall_s,
        "cpu_s": sum(seconds for role, seconds in result.cpu_s.items() if role != "simulator"),
        "peak_mib": result.peak_mib,
        "answered": result.answered,
        "received": result.received,
        "billed_twice": result.billed_twice,
    }


def theirs(name: str, python: Path, run: Run) -> dict[str, Any]:
    """A peer, in its own environment."""
    command = [str(python), str(SCRIPTS / f"run_{name}.py"), "--calls", str(run.calls)]
    command += ["--in-flight", str(run.in_flight), "--timeout-s", str(run.timeout_s)]
    with provider(run) as simulator:
        try:
            done = subprocess.run(
                [*command, "--base-url", simulator.base_url],
                capture_output=True,
                text=True,
                timeout=PEER_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return {"name": name, "error": f"not done after {PEER_LIMIT_S:.0f} s", "wall_s": math.inf}
        billed = simulator.client.billed().values()
        received = simulator.client.stats()["received"]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["?"])[-1][:200]
        return {"name": name, "error": f"failed: {reason}", "wall_s": math.inf}
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    twice = sum(prompt["calls"] > 1 for prompt in billed)
    return {"name": name, **figures, "received": received, "billed_twice": twice}


def same(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["name"] == name]


def table(best: Mapping[str, dict[str, Any]], *, failing: bool) -> str:
    """The scenario's rows, fastest first, and the ratios of the bars."""
    what = "5 % 429 (Retry-After 1 s), 2 % 500, 0.5 % hangs" if failing else "no failures"
    lines = [
        f"\n{what}:\n",
        "| | wall | CPU | peak memory | answered | calls received | billed twice |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [line(row) for row in sorted(best.values(), key=lambda row: row["wall_s"])]
    return "\n".join([*lines, "", *ratios(best)])


def line(row: Mapping[str, Any]) -> str:
    title = TITLES[row["name"]]
    if "error" in row:
        return f"| {title} | {row['error']} | | | | | |"
    return (
        f"| {title} | {row['wall_s']:.1f} s | {row['cpu_s']:.1f} s | {row['peak_mib']:.0f} MiB | "
        f"{row['answered']} | {row['received']} | {row['billed_twice']} |"
    )


def ratios(best: Mapping[str, dict[str, Any]]) -> list[str]:
    """What the bars compare."""
    rivals = [best[name]["wall_s"] for name in RIVALS if name in best]
    fastest = min(rivals, default=math.inf)
    litellm, direct = best["waybill-litellm"]["wall_s"], best["waybill-direct"]["wall_s"]
    said = [
        f"Waybill through LiteLLM: {litellm / fastest:.2f} of the fastest of the four",
        f"Waybill direct: {fastest / direct:.2f} times as fast as the fastest of the four",
    ]
    if "aiohttp" in best:
        said.append(
            f"Waybill direct: {direct / best['aiohttp']['wall_s']:.2f} times bare aiohttp's wall time"
        )
    return said


if __name__ == "__main__":
    main()
