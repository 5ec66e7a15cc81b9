"""The providers' caches of prompts: what is read from them, and what is written to them."""

from __future__ import annotations

from workers.simulator.prompt_cache import CacheUse, Prefix, PromptCache


def test_an_automatic_cache_reads_whole_steps_and_bills_no_writing() -> None:
    cache = PromptCache()
    first = (Prefix("system", 1604), Prefix("one", 1610))
    assert cache.use(first, marked=False) == CacheUse()
    assert cache.use((Prefix("system", 1604), Prefix("two", 1700)), marked=False) == CacheUse(read=1536)
    assert cache.use((Prefix("other", 5000),), marked=False) == CacheUse()


def test_a_marked_prefix_is_written_once_and_then_read() -> None:
    cache = PromptCache()
    assert cache.use((Prefix("system", 1604),), marked=True) == CacheUse(written=1604)
    assert cache.use((Prefix("system", 1604),), marked=True) == CacheUse(read=1604)
    longer = (Prefix("system", 1604), Prefix("turn", 2000, ttl="1h"))
    assert cache.use(longer, marked=True) == CacheUse(read=1604, written_1h=396)


def test_a_short_prompt_is_not_kept() -> None:
    cache = PromptCache()
    for _ in range(2):
        assert cache.use((Prefix("short", 1023),), marked=True) == CacheUse()
