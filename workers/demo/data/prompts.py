"""Prompts generated from templates.toml by a seed, each text only once."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

CATEGORIES = ("mathematics", "coding", "reasoning", "summarization", "creative_writing")
#: a kind of prompts that neither the demo's batch nor its labels have
NEW_KIND = "translation"

_NUMBER = re.compile(r"\{(\d+)\.\.(\d+)\}")
_SLOT = re.compile(r"(\b[Aa] )?\{([a-z_]+)(\d?)\}")


@dataclass(frozen=True)
class DemoPrompt:
    """A prompt with its true category and difficulty."""

    text: str
    category: str
    hard: bool


def write_prompts(seed: int, categories: Sequence[str] = CATEGORIES) -> Iterator[DemoPrompt]:
    """Yield prompts without end, the categories in turn; the same prompts for the same seed."""
    templates = _templates()
    random, seen = Random(seed), set[str]()
    for category in cycle(categories):
        prompt = _write(templates, category, random)
        while prompt.text in seen:
            prompt = _write(templates, category, random)
        seen.add(prompt.text)
        yield prompt


def _templates() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("templates.toml").read_text(encoding="utf-8"))


def _write(templates: dict[str, Any], category: str, random: Random) -> DemoPrompt:
    hard = random.random() < 0.5
    template = random.choice(templates[category]["hard" if hard else "easy"])
    opening, closing = (random.choice(templates[part]["texts"]) for part in ("openings", "closings"))
    return DemoPrompt(opening + _Filler(templates["slots"], random).fill(template) + closing, category, hard)


class _Filler:
    """Fills the slots of one prompt: a repeated slot has one value, `{name}` and `{name2}` have two."""

    def __init__(self, slots: dict[str, list[str]], random: Random) -> None:
        self._slots = slots
        self._random = random
        self._values: dict[str, str] = {}

    def fill(self, template: str) -> str:
        """Return the template with its numbers and phrases filled in, those of phrases included."""
        return _SLOT.sub(self._phrase, _NUMBER.sub(self._number, template))

    def _number(self, span: re.Match[str]) -> str:
        return str(self._random.randint(int(span[1]), int(span[2])))

    def _phrase(self, slot: re.Match[str]) -> str:
        article, word, number = slot.groups(default="")
        key = word + number
        if key not in self._values:
            self._values[key] = self._draw(word)
        value = self._values[key]
        return (f"{article[0]}n " if article and value[0] in "aeiou" else article) + value

    def _draw(self, word: str) -> str:
        taken = {value for key, value in self._values.items() if key.rstrip("0123456789") == word}
        while (value := self.fill(self._random.choice(self._slots[word]))) in taken:
            pass
        return value
