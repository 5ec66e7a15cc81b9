"""What is true of the simulated models: how good each is at a prompt, and what its answer costs on average.

It is what default.toml documents. Nothing of it reaches a router: demo and benchmarks measure by it what a
router has found out from answers.
"""

from workers.simulator.categories import guess_category
from workers.simulator.config import ModelProfile
from workers.simulator.plans import DEFAULT_STRENGTH, DEFAULT_TOKENS
from workers.simulator.requests import count_tokens


def strength_at(model: ModelProfile, prompt: str) -> float:
    """Return the probability that its answer to this prompt is good."""
    return model.strengths.get(guess_category(prompt), DEFAULT_STRENGTH)


def cost_of(model: ModelProfile, prompt: str) -> float:
    """Dollars for an answer of the length that is typical of the model."""
    tokens = model.output_tokens.get(guess_category(prompt), DEFAULT_TOKENS)
    return model.micro_usd(count_tokens(prompt), tokens) / 1_000_000
