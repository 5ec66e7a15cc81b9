"""From the totals and parts of a usage block to counts by kind, in which every token counts once."""

from __future__ import annotations

from itertools import combinations

from router_core.pricing import Usage
from tasks.providers.usage.numbers import MAX_COUNT, Implausible
from tasks.providers.usage.shapes import Block

#: more thoughts than any model has about one prompt
_MAX_REASONING = 2_000_000
#: parts of the input that a total may not hold
_CACHE = ("cache_write_1h", "cache_write", "cached_input")
_BESIDE_INPUT = (*_CACHE, "tool_input", "citation")
#: parts that may stand beside the totals, the dearest first
_SEPARABLE = ("reasoning", *_CACHE, "tool_input")
_INPUT = (*_CACHE, "audio_input", "cached_audio_input", "image_input", "citation")
_OUTPUT = ("reasoning", "audio_output", "image_output")


def usage_of(
    block: Block, *, limit: int | None, generates: bool, billed: int | None, tier: str | None
) -> Usage:
    """Return the counts of a block; raises Implausible."""
    prompt, completion = _totals(block, generates)
    outside = _outside(block, prompt, completion)
    parts = {name: block.parts.get(name, 0) for name in (*_INPUT, *_OUTPUT, "tool_input")}
    prompt += sum(parts[name] for name in _BESIDE_INPUT if name in outside)
    completion += parts["reasoning"] if "reasoning" in outside else 0
    unexplained = max((block.total or 0) - prompt - completion, 0)
    spoken = completion - parts["reasoning"]
    if parts["reasoning"] > _MAX_REASONING or (limit is not None and spoken > limit):
        raise Implausible
    if prompt == 0 or (generates and completion + unexplained == 0):
        raise Implausible
    sent = _without_overlap(parts, prompt)
    return Usage(
        input=max(prompt - sum(sent.values()), 0),
        **sent,
        output=max(completion - sum(parts[name] for name in _OUTPUT), 0),
        **{name: parts[name] for name in _OUTPUT},
        unexplained=unexplained,
        searches=block.searches,
        search_size=block.search_size,
        billed=billed,
        tier=tier,
    )


def _totals(block: Block, generates: bool) -> tuple[int, int]:
    """Return the totals of input and output; one that is missing is what the other leaves of both."""
    prompt, completion, total = block.prompt, block.completion, block.total or 0
    if total > 2 * MAX_COUNT:
        raise Implausible
    if not prompt:  # LiteLLM writes 0 for a count that is missing
        prompt = max(total - (completion or 0), 0) if completion or not generates else 0
    if completion is None:
        completion = max(total - prompt, 0) if generates else 0
    return prompt, completion


def _outside(block: Block, prompt: int, completion: int) -> frozenset[str]:
    """Return the parts that these totals do not hold."""
    certain = block.outside | _too_large(block, prompt, completion)
    rest = _sizes(block, frozenset(_SEPARABLE) - certain)
    if block.total:
        missing = block.total - prompt - completion - sum(_sizes(block, certain).values())
        usual = [name for name in rest if name in block.usually_outside]
        choices = [usual, *(names for number in range(len(rest) + 1) for names in combinations(rest, number))]
        for names in choices:
            if sum(rest[name] for name in names) == missing:
                return certain.union(names)
    return certain | block.usually_outside


def _sizes(block: Block, names: frozenset[str]) -> dict[str, int]:
    """Return the parts of these names that are not empty, the dearest first."""
    ordered = (*_SEPARABLE, "citation")
    return {name: block.parts[name] for name in ordered if name in names and block.parts.get(name)}


def _too_large(block: Block, prompt: int, completion: int) -> frozenset[str]:
    """Return the parts that are larger than the total that would hold them."""
    found: set[str] = set()
    if block.parts.get("reasoning", 0) > completion:
        found.add("reasoning")
    if sum(block.parts.get(name, 0) for name in _CACHE) > prompt:
        found.update(_CACHE)
    return frozenset(found)


def _without_overlap(parts: dict[str, int], prompt: int) -> dict[str, int]:
    """Return the parts of the input; cached audio is named as such and not as cached and as audio."""
    sent = {name: parts[name] for name in _INPUT}
    excess = max(sum(sent.values()) - sent["cached_audio_input"] - prompt, 0)
    both = sent["cached_audio_input"] or excess
    both = min(both, sent["cached_input"], sent["audio_input"])
    return sent | {
        "cached_input": sent["cached_input"] - both,
        "audio_input": sent["audio_input"] - both,
        "cached_audio_input": both,
    }
