"""The true quality and cost of the simulated models on a prompt, as default.toml documents them.

No router gets these values. Demo and benchmarks compare them with what a router has learnt from answers.
"""

from workers.simulator.categories import guess_category
from workers.simulator.config import ModelProfile
from workers.simulator.plans import DEFAULT_STRENGTH, DEFAULT_TOKENS
from workers.simulator.requests import count_tokens


def strength_at(model: ModelProfile, prompt: str) -> float:
    """Return the probability that the model's answer to the prompt is good."""
    return model.strengths.get(guess_category(prompt), DEFAULT_STRENGTH)


def cost_of(model: ModelProfile, prompt: str) -> float:
    """Return the dollars for an answer of the length that is typical of the model."""
    tokens = model.output_tokens.get(guess_category(prompt), DEFAULT_TOKENS)
    return model.micro_usd(count_tokens(prompt), tokens) / 1_000_000
