"""A simulated OpenAI-compatible provider for demo, tests and benchmarks: priced, seeded, able to fail.

LiteLLM calls it like any provider: `model="openai/sim-nano", api_base=simulator.base_url`.
Models and strengths: default.toml; judges: judge.py; failures: faults.py; directives: directives.py;
controls and counts: server.py. Demo, tests and benchmarks import its public names from here.
"""

from workers.simulator.client import SimulatorClient
from workers.simulator.config import ModelProfile, SimulatorConfig, with_transient_failures
from workers.simulator.faults import Fault
from workers.simulator.judge import JudgeProfile
from workers.simulator.ledger import text_digest
from workers.simulator.loading import default_config, load_config
from workers.simulator.process import SimulatorProcess
from workers.simulator.requests import messages_digest

__all__ = [
    "Fault",
    "JudgeProfile",
    "ModelProfile",
    "SimulatorClient",
    "SimulatorConfig",
    "SimulatorProcess",
    "default_config",
    "load_config",
    "messages_digest",
    "text_digest",
    "with_transient_failures",
]
