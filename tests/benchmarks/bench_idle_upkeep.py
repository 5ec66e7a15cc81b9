"""The processor time of an upkeep worker while no batch runs, on SQLite and PostgreSQL.

python tests/benchmarks/bench_idle_upkeep.py 60
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.redis_server import RedisServer  # noqa: E402
from tests.support.stores import PostgresServer  # noqa: E402

#: until it has started, and looked for a while without finding anything
WARM_S = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    options = parser.parse_args()
    for store in ("SQLite", "PostgreSQL"):
        share = measure(store, options.seconds)
        print(f"- {store}: {100 * share:.2f} % of a core")


def measure(store: str, seconds: float) -> float:
    """The share of a core that it takes."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        home = stack.enter_context(tempfile.TemporaryDirectory())
        environment = {**os.environ, "WAYBILL_HOME": home, "WAYBILL_REDIS__URL": redis.url}
        if store == "PostgreSQL":
            environment["WAYBILL_STORE__URL"] = stack.enter_context(PostgresServer()).database()
        command = [sys.executable, "-m", "workers.cli", "worker", "upkeep"]
        with subprocess.Popen(command, cwd=ROOT, env=environment) as worker:
            try:
                time.sleep(WARM_S)
                before, began = cpu_of(worker.pid), time.monotonic()
                time.sleep(seconds)
                return (cpu_of(worker.pid) - before) / (time.monotonic() - began)
            finally:
                worker.terminate()


def cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
