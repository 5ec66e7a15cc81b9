"""What every peer's script shares: its arguments, its prompts, and the one line of JSON that it prints.

It runs in the peer's own environment, so it needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MODEL = "sim-nano"
KEY = "sk-local"
MAX_TOKENS = 64
RETRIES = 6


@dataclass(frozen=True)
class Task:
    """What to call: `in_flight` calls at a time, each allowed `timeout_s`."""

    base_url: str
    calls: int
    in_flight: int
    timeout_s: float

    @property
    def prompts(self) -> list[str]:
        """About 300 characters each, none like another."""
        return [prompt(number) for number in range(self.calls)]


def prompt(number: int) -> str:
    """The texts that Waybill is given: the simulator draws the same failures for everybody."""
    return f"Question {number} of peers: why is an answer to this short? " + "Consider every side. " * 12


def run(answer: Callable[[Task], Sequence[object]]) -> None:
    """Call `answer`, which returns an answer or None for each prompt; its imports are not on the clock."""
    os.environ.update(OPENAI_API_KEY=KEY, HF_HUB_OFFLINE="1", TELEMETRY_ENABLED="false", DO_NOT_TRACK="1")
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--timeout-s", type=float, required=True)
    task = Task(**vars(parser.parse_args()))
    began, began_cpu = time.perf_counter(), cpu_s()
    answers = answer(task)
    figures = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": cpu_s() - began_cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "answered": sum(bool(text) for text in answers),
    }
    print(json.dumps(figures), flush=True)


def cpu_s() -> float:
    """User and system time of this process and of the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
