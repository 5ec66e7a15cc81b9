"""The images of dispatch workers and Flower hold neither numpy nor Arrow."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import importlib, pkgutil, sys

sys.modules["numpy"] = sys.modules["pyarrow"] = None  # an import of these fails
import tasks.stages.celery_tasks
import workers.worker.run
names = "tasks.stages.dispatch tasks.providers tasks.validation workers.stack workers.simulator"
for name in names.split():
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_what_dispatch_workers_flower_and_the_simulator_run_needs_no_numpy_and_no_arrow() -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=400)
    assert ended.returncode == 0, ended.stderr[-2000:]
