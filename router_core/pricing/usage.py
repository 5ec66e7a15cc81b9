"""What a call used, by the kinds that providers price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from types import MappingProxyType

#: the tier of a call that names none
STANDARD = "standard"
#: kinds of tokens that a request sends, each with the kind whose price it has where it has none of its own
INPUT_KINDS: Mapping[str, str | None] = MappingProxyType({
    "input": None,
    "cached_input": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "cached_audio_input": "audio_input",
    "image_input": "input",
    "citation": "input",
})  # fmt: skip
#: kinds of tokens that a model writes, in the same way
OUTPUT_KINDS: Mapping[str, str | None] = MappingProxyType({
    "output": None,
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
})  # fmt: skip
#: fees, in dollars each
FEES = ("request", "search")
TOKEN_KINDS: Mapping[str, str | None] = MappingProxyType({**INPUT_KINDS, **OUTPUT_KINDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The counts of a call; every token counts once, in one kind.

    Attributes:
        input: Input tokens of no other kind.
        cached_input: Read from the provider's prompt cache.
        cache_write: Written to the prompt cache, for 5 minutes or an unknown time.
        cache_write_1h: Written to the prompt cache for an hour.
        audio_input: Audio that was sent.
        cached_audio_input: Audio read from the prompt cache.
        image_input: Images and videos that were sent.
        citation: Text of search results that the provider charges as input.
        output: Output tokens of no other kind.
        reasoning: Thoughts.
        audio_output: Audio that was generated.
        image_output: Images that were generated.
        unexplained: Tokens of the provider's total that are in none of its parts; they cost as much as the
            dearest kind of text output.
        requests: The calls, for fees per request.
        searches: The searches that the provider made, for fees per search.
        search_size: How large it says they were: `low`, `medium` or `high`; None if it does not say.
        billed: What the provider says it charged, in micro-dollars rounded up; None if it does not say.
        tier: The tier that the provider says it used; None if it does not say.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    cached_audio_input: int = 0
    image_input: int = 0
    citation: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_output: int = 0
    unexplained: int = 0
    requests: int = 1
    searches: int = 0
    search_size: str | None = None
    billed: int | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        least = min(_counts_of(self))
        if least < 0 or (self.billed or 0) < 0:
            raise ValueError(f"a count cannot be negative: {least}")

    @property
    def prompt_tokens(self) -> int:
        """The tokens that were sent, of all kinds."""
        return sum(self.by_kind[: len(INPUT_KINDS)])

    @property
    def completion_tokens(self) -> int:
        """The tokens that were generated, of all kinds."""
        return sum(self.by_kind[len(INPUT_KINDS) :]) + self.unexplained

    @property
    def by_kind(self) -> tuple[int, ...]:
        """The tokens of each kind, in the order of `TOKEN_KINDS`."""
        return _tokens_of(self)

    def as_row(self) -> dict[str, int | str]:
        """Return what is not zero or unknown, for the ledger."""
        return {name: value for name, value in zip(_FIELDS, _values_of(self), strict=True) if value}


#: the fields of a usage that count tokens, calls or searches
COUNTS = (*TOKEN_KINDS, "unexplained", "requests", "searches")
_FIELDS = tuple(field.name for field in fields(Usage))
# A getter of many fields takes a fraction of the time of as many `getattr`, and each call has a usage.
_tokens_of = attrgetter(*TOKEN_KINDS)
_counts_of = attrgetter(*COUNTS)
_values_of = attrgetter(*_FIELDS)
