"""The configuration of the simulator: its models, with prices, latency, strengths and failures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workers.simulator.errors import SimulatorConfigError
from workers.simulator.faults import Fault
from workers.simulator.judge import JudgeProfile
from workers.simulator.token_counts import TokenCounts

CATEGORIES = ("mathematics", "coding", "reasoning", "summarization", "creative_writing", "other")

# The occasional failures of a healthy provider; the weights add up to one.
_TRANSIENT = {
    Fault.RATE_LIMIT_SECONDS: 0.5,
    Fault.SERVER_ERROR: 0.25,
    Fault.UNAVAILABLE: 0.15,
    Fault.BAD_GATEWAY: 0.1,
}


@dataclass(frozen=True)
class ModelProfile:
    """A model: its prices, its latency, its quality, and how often it fails."""

    name: str
    input_price: float
    """US dollars per million prompt tokens."""
    output_price: float
    """US dollars per million completion tokens."""
    latency_ms: float = 200.0
    """Median time to answer."""
    latency_sigma: float = 0.3
    """Sigma of the lognormal latency; 0 makes it constant."""
    output_tokens: Mapping[str, int] = field(default_factory=dict)
    """Typical length of an answer by category, in tokens."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """Probability of a good answer by category."""
    failures: Mapping[Fault, float] = field(default_factory=dict)
    """Probability of each failure; the rest of 1 is that of success."""
    judging: JudgeProfile = field(default_factory=JudgeProfile)
    """How the model judges answers; any model can be a judge."""
    rpm: int | None = None
    tpm: int | None = None
    limit_burst_s: float = 60.0
    """How many seconds of rpm and tpm may be used at once; 60 allows a whole minute's."""
    hold: str | None = None
    """The name at which every answer waits until a test lets it go (holds.py)."""
    api_key: str | None = None
    """The only key that is accepted; None accepts every caller."""
    context_window: int = 128_000
    cached_input_price: float | None = None
    """US dollars per million prompt tokens that its cache knows; None: the model has no cache."""
    cache_write_price: float | None = None
    """US dollars per million tokens written to the cache; None is the price of input."""
    cache_write_1h_price: float | None = None
    """The same, for an hour; None is the price for five minutes."""
    reasoning_price: float | None = None
    """US dollars per million reasoning tokens; None is the price of output."""
    request_fee: float = 0.0
    """US dollars for each answered call, such as for a search."""
    tiers: Mapping[str, float] = field(default_factory=dict)
    """What a service tier multiplies the price by."""
    reasoning_tokens: int = 0
    """Reasoning tokens before an answer, of a model that always reasons."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be simulated."""
        check_failures(self.name, self.failures)
        check_categories(self.name, self.strengths, self.output_tokens)
        for option in ("input_price", "output_price", "latency_ms", "latency_sigma"):
            if getattr(self, option) < 0:
                raise SimulatorConfigError(f"model {self.name}: {option} must not be negative")
        for option in ("rpm", "tpm", "limit_burst_s", "context_window"):
            value = getattr(self, option)
            if value is not None and value <= 0:
                raise SimulatorConfigError(f"model {self.name}: {option} must be positive")

    def micro_usd(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Return the bill for one call in millionths of a dollar, rounded up."""
        return self.bill(TokenCounts(prompt_tokens, completion_tokens))

    def bill(self, counts: TokenCounts, *, tier: str | None = None) -> int:
        """Return the bill for one call by the kinds of its tokens, in millionths of a dollar, rounded up."""
        write = self.input_price if self.cache_write_price is None else self.cache_write_price
        write_1h = write if self.cache_write_1h_price is None else self.cache_write_1h_price
        reasoning = self.output_price if self.reasoning_price is None else self.reasoning_price
        exact = (
            counts.input * self.input_price
            + counts.cached * (self.cached_input_price or 0.0)
            + counts.cache_write * write
            + counts.cache_write_1h * write_1h
            + counts.output * self.output_price
            + counts.reasoning * reasoning
        )
        # Round first: 3 * 0.1 must not be billed as 0.30000000000000004.
        return math.ceil(round(exact * self.tiers.get(tier or "", 1.0) + self.request_fee * 1e6, 6))


@dataclass(frozen=True)
class SimulatorConfig:
    """The provider as a whole."""

    models: tuple[ModelProfile, ...]
    seed: int = 0
    latency_scale: float = 1.0
    """Factor of every latency; 0 answers at once."""
    echo_errors: bool = False
    """Whether error bodies repeat the prompt and the caller's key, as careless providers do."""

    def __post_init__(self) -> None:
        """Refuse a provider without models, with a model twice, or with a negative latency."""
        names = [model.name for model in self.models]
        if not names or len(set(names)) < len(names):
            raise SimulatorConfigError(f"models must be named once each, and there must be one: {names}")
        if self.latency_scale < 0:
            raise SimulatorConfigError("latency_scale must not be negative")


def with_transient_failures(config: SimulatorConfig, share: float) -> SimulatorConfig:
    """Return the same provider, of whose calls a share fails with 429, 500, 502 or 503."""
    failures = {fault: share * weight for fault, weight in _TRANSIENT.items()} if share else {}
    return replace(config, models=tuple(replace(model, failures=failures) for model in config.models))


def check_failures(name: str, failures: Mapping[Fault, float]) -> None:
    """Raise SimulatorConfigError unless all are probabilities that add up to at most 1."""
    if any(not 0 <= share <= 1 for share in failures.values()) or sum(failures.values()) > 1 + 1e-9:
        raise SimulatorConfigError(f"model {name}: failures must be probabilities that add up to at most 1")


def check_categories(name: str, strengths: Mapping[str, float], output_tokens: Mapping[str, int]) -> None:
    """Raise SimulatorConfigError on an unknown category, a strength outside [0, 1] or an empty answer."""
    unknown = sorted({*strengths, *output_tokens} - set(CATEGORIES))
    if unknown:
        raise SimulatorConfigError(
            f"model {name}: unknown category {unknown[0]!r}; known: {', '.join(CATEGORIES)}"
        )
    if any(not 0 <= strength <= 1 for strength in strengths.values()):
        raise SimulatorConfigError(f"model {name}: strengths must lie between 0 and 1")
    if any(tokens <= 0 for tokens in output_tokens.values()):
        raise SimulatorConfigError(f"model {name}: output_tokens must be positive")
