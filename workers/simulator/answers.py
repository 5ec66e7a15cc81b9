"""Short, plausible answers: sentences by category, around key words of the prompt."""

import re
from itertools import cycle
from random import Random

from workers.simulator.requests import count_tokens

_WORD = re.compile(r"[^\W\d_]{5,}")
# Words of instructions, not topics.
_COMMON = re.compile(
    "about|after|again|answer|before|being|could|every|explain|first|given|other|please|should|solve|summari[sz]e"
    "|their|there|these|thing|those|under|using|where|which|while|would|write"
)
_OPENINGS = {
    "mathematics": ("Let us set this up step by step.", "First, write down what is known about the {0}."),
    "coding": (
        "Here is a solution for the {0}.\n\n```python\ndef solve({0}):\n    return sorted({0})\n```\n",
        "The {0} needs one pass:\n\n```python\ndef count_{0}(items):\n    return len(set(items))\n```\n",
    ),
    "reasoning": ("Consider what the {0} tells us and what it leaves open.", "Start from the {0}."),
    "summarization": (
        "In short: the {0} matters most, and the {1} follows from it.",
        "The main point is the {0}.",
    ),
    "creative_writing": (
        "The {0} had been waiting all winter.",
        "Nobody spoke of the {0} until the {1} came.",
    ),
    "other": ("Here is what to know about the {0}.",),
}
_BODIES = {
    "mathematics": (
        "Substituting the {0} into the second relation leaves one unknown.",
        "Both sides can be divided by the {1}, which is not zero.",
        "The remaining terms add up to {n}.",
        "Only the positive root fits the {0}.",
        "Checking with the {0} gives the same value, so the result is {n}.",
    ),
    "coding": (
        "It runs in O(n log n) because the {0} is sorted once.",
        "An empty {1} is handled by the first branch.",
        "The {0} is never changed in place.",
        "For more than {n} items, read the {1} lazily instead.",
        "A test with {n} items confirms that the {0} keeps its order.",
    ),
    "reasoning": (
        "If the {0} held, the {1} would have to change as well, and it does not.",
        "That rules out {n} of the possible cases.",
        "The {0} alone is no proof, since the {1} would look the same either way.",
        "What is left needs only one assumption about the {0}.",
        "The {1} is therefore the better explanation, given the {0}.",
    ),
    "summarization": (
        "The {0} was reviewed together with the {1}.",
        "About {n} percent of the effect comes from the {1}.",
        "The {1} is the open question.",
        "No change to the {0} is planned.",
    ),
    "creative_writing": (
        "Somewhere beyond the {1}, a door closed softly.",
        "She counted {n} lanterns and called every one of them {0}.",
        "Rain wrote its own letters on the {1}.",
        "They buried the {0} twice, and twice it came back for supper.",
        "For {n} years the {1} kept the secret.",
        "By morning even the {0} had learned to sing.",
    ),
    "other": (
        "The {0} depends on the {1}.",
        "There are {n} things worth checking about the {0}.",
        "Most people start with the {1}.",
        "When in doubt, ask whoever looks after the {0}.",
    ),
}
#: How every poor answer begins, and no good one: a simulated judge tells them apart by it.
HEDGE = "I am not certain about"
_POOR = HEDGE + " the {0}; it may be {n}, or it may have to do with the {1}."


def write_answer(prompt: str, *, category: str, good: bool, tokens: int, random: Random) -> str:
    """Return an answer of at least `tokens` tokens (by `count_tokens`).

    Args:
        category: The prompt's category, one of `config.CATEGORIES`.
        good: Whether the answer is good; a poor one hedges.
        random: The source of all choices.
    """
    topics = _topics(prompt)
    bodies = _BODIES[category] if good else (_POOR, *_BODIES["other"])
    opening = random.choice(_OPENINGS[category])
    sentences = [_fill(opening if good else _POOR, topics, random)]
    length = count_tokens(sentences[0])
    order = cycle(random.sample(bodies, len(bodies)))
    while length < tokens:
        sentences.append(_fill(next(order), topics, random))
        length += count_tokens(sentences[-1])
    return " ".join(sentences)


def truncate(text: str, tokens: int) -> str:
    """Return the longest beginning of the text that has at most `tokens` tokens."""
    return text.encode()[: tokens * 4].decode(errors="ignore")


def _topics(prompt: str) -> list[str]:
    words = dict.fromkeys(word.lower() for word in _WORD.findall(prompt[:2000]))
    topics = [word for word in words if not _COMMON.fullmatch(word)]
    return topics if len(topics) > 1 else [*topics, "question", "context"]


def _fill(sentence: str, topics: list[str], random: Random) -> str:
    at = random.randrange(len(topics))
    return sentence.format(topics[at], topics[at - 1], n=random.randint(2, 97))
