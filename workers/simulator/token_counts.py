"""The tokens of one call, by the kinds that providers bill."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenCounts:
    """The tokens of one call: the kinds do not overlap."""

    input: int
    """Tokens of the prompt that are neither read from a cache nor written to one."""
    output: int
    """Tokens of the visible answer, tool calls included."""
    cached: int = 0
    cache_write: int = 0
    """Tokens written to a cache that keeps them for five minutes."""
    cache_write_1h: int = 0
    """Tokens written to a cache that keeps them for an hour."""
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All tokens of the prompt."""
        return self.input + self.cached + self.cache_write + self.cache_write_1h

    @property
    def completion(self) -> int:
        """All tokens that the model wrote."""
        return self.output + self.reasoning

    @property
    def total(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion
