"""A simulated provider for demo, tests and benchmarks: priced, seeded, able to fail.

LiteLLM calls it like any provider: `model="openai/sim-nano", api_base=simulator.base_url`, or by the
protocol of a real one: `model="anthropic/claude-sonnet-4-5", api_base=simulator.url_of("anthropic")`.
Models and strengths: default.toml, providers.toml; judges: judge.py; failures: faults.py; other shapes of
answers: shapes.py; directives: directives.py; protocols: protocols/;
controls and counts: server.py. Demo, tests and benchmarks import its public names from here.
"""

from workers.simulator.client import SimulatorClient
from workers.simulator.config import ModelProfile, SimulatorConfig, with_transient_failures
from workers.simulator.faults import Fault
from workers.simulator.judge import JudgeProfile
from workers.simulator.ledger import text_digest
from workers.simulator.loading import default_config, load_config, provider_config
from workers.simulator.process import SimulatorProcess
from workers.simulator.requests import messages_digest
from workers.simulator.shapes import Shape

__all__ = [
    "Fault",
    "JudgeProfile",
    "ModelProfile",
    "Shape",
    "SimulatorClient",
    "SimulatorConfig",
    "SimulatorProcess",
    "default_config",
    "load_config",
    "messages_digest",
    "provider_config",
    "text_digest",
    "with_transient_failures",
]
