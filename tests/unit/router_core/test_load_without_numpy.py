"""Settings and commands read preferences and prices, and start without numpy."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["router_core.policy.preferences", "router_core.pricing"])
def test_the_module_loads_without_numpy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ended.stdout.split()
    assert module in loaded
    assert "numpy" not in loaded
