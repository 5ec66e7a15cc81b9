"""A scrape of `/metrics`, as samples by name and labels."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tasks.settings import Settings
from tasks.store.engine import Store
from workers.metrics.collector import Exposition

#: a text of prompts that no scrape may show
CANARY = "CANARY-prompt-5b1f"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(settings: Settings, store: Store) -> Samples:
    """Return the samples by name and labels."""
    text = Exposition(settings, store, min_age_s=0).text().decode()
    assert CANARY not in text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return one sample."""
    return samples[name, tuple(sorted(labels.items()))]


def with_redis(settings: Settings, url: str | None) -> Settings:
    """Return the settings with another Redis, or none."""
    return settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": url})})
