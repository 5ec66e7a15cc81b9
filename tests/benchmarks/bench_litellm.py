"""Processor time of a call through LiteLLM under different settings, and through the direct transport.

    python tests/benchmarks/bench_litellm.py [--calls 1000]

Each variant runs in a process of its own against a simulator that answers at once, 128 calls in flight;
imports are not on the clock. The second row is what a dispatch worker does; those below change one thing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.processes import freeze_loaded_objects  # noqa: E402
from tasks.providers import Deployment  # noqa: E402
from tasks.providers.composite_provider import CompositeProvider  # noqa: E402
from workers.simulator import SimulatorProcess, default_config  # noqa: E402

VARIANTS = {
    "direct": "the direct transport",
    "waybill": "LiteLLM as Waybill calls it",
    "logged": "… with its success and failure handlers",
    "priced": "… with its prices (looked up for every answer)",
    "priced-per-call": "… with prices given per call",
    "defaults": "… with both, as `litellm.acompletion` does by default",
    "sdk": "… through `openai/`, and so the OpenAI SDK, instead of `hosted_vllm/`",
    "collected": "… with Python's own collector settings",
    "keeps-params": "… without `drop_params`",
}
IN_FLIGHT = 128


def main() -> None:
    """Print a table: milliseconds of processor time per call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--variant", choices=VARIANTS)
    options = parser.parse_args()
    if options.variant:
        with SimulatorProcess(replace(default_config(), latency_scale=0)) as simulator:
            print(asyncio.run(milliseconds(options.variant, simulator.base_url, options.calls)))
        return
    print("| | ms CPU a call |\n|---|---|")
    for variant, title in VARIANTS.items():
        command = [sys.executable, __file__, "--calls", str(options.calls), "--variant", variant]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"| {title} | {float(done.stdout):.2f} |", flush=True)


async def milliseconds(variant: str, base_url: str, calls: int) -> float:
    """Processor time per call of this process."""
    deployment = Deployment(
        "nano",
        "openai/sim-nano",
        api_base=base_url,
        timeout_s=60,
        transport="direct" if variant == "direct" else "litellm",
    )
    prepare(variant)
    provider, slots = CompositeProvider(), asyncio.Semaphore(IN_FLIGHT)

    async def call(number: int) -> None:
        body = {"messages": [{"role": "user", "content": f"question {number} " * 20}], "max_tokens": 64}
        async with slots:
            await provider.complete(deployment, body)

    await asyncio.gather(*map(call, range(IN_FLIGHT)))
    if variant != "collected":
        freeze_loaded_objects()
    began = time.process_time()
    await asyncio.gather(*map(call, range(calls)))
    spent = time.process_time() - began
    await provider.aclose()
    return spent / calls * 1e3


def prepare(variant: str) -> None:
    """Undo one of the things that Waybill does to LiteLLM."""
    from tasks.providers import litellm_provider
    from tasks.providers.litellm_setup import import_litellm

    if variant == "sdk":
        litellm_provider.fastest_model_name = lambda _, deployment, __: deployment.litellm_model
    if variant in ("logged", "defaults"):
        litellm_provider.unlogged = contextlib.nullcontext
    if variant in ("priced", "priced-per-call", "defaults"):
        import litellm.litellm_core_utils.llm_response_utils.response_metadata as metadata

        update = metadata.update_response_metadata
        import_litellm().utils.update_response_metadata = update
    extra: dict[str, Any] = {
        "priced-per-call": {"input_cost_per_token": 1e-7, "output_cost_per_token": 4e-7},
        "keeps-params": {"drop_params": False},
    }.get(variant, {})
    original = litellm_provider._common_arguments
    litellm_provider._common_arguments = lambda deployment: {**original(deployment), **extra}


if __name__ == "__main__":
    main()
