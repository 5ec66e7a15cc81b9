"""The prompt caches of providers: automatic ones (OpenAI), and those that a request marks (Anthropic).

Sources: https://platform.openai.com/docs/guides/prompt-caching and
https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: prompts of fewer tokens are not cached
LEAST_TOKENS = 1024
#: automatic caches keep prompts in steps of this many tokens
_STEP_TOKENS = 128
ONE_HOUR = "1h"


@dataclass(frozen=True)
class Prefix:
    """The beginning of a prompt, as far as one of its messages or marks."""

    digest: str
    tokens: int
    ttl: str = "5m"
    """How long a mark asks to keep it."""


@dataclass(frozen=True)
class CacheUse:
    """The tokens of a prompt that were read from a cache, and those that were written to one."""

    read: int = 0
    written: int = 0
    written_1h: int = 0


class PromptCache:
    """The prefixes that one model has seen."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def use(self, prefixes: Sequence[Prefix], *, marked: bool) -> CacheUse:
        """Look up the longest known prefix and keep them all; only marked ones are billed for writing."""
        usable = [prefix for prefix in prefixes if prefix.tokens >= LEAST_TOKENS]
        known = max((prefix.tokens for prefix in usable if prefix.digest in self._seen), default=0)
        self._seen.update(prefix.digest for prefix in usable)
        new = [prefix for prefix in usable if prefix.tokens > known]
        if not marked:
            return CacheUse(read=known - known % _STEP_TOKENS)
        if not new:
            return CacheUse(read=known)
        longest = new[-1]
        written = longest.tokens - known
        return CacheUse(known, 0, written) if longest.ttl == ONE_HOUR else CacheUse(known, written)
