"""A simulated judge: compares the two answers of a judge's prompt, and has the faults that it is given.

The truth is that of default.toml: an answer is good with the probability that its model's `strengths` give
for the prompt's category, and a poor one hedges. A judge sees which of two answers is good; two of a kind are
a tie.

It reads the prompt as documented in docs/learning.md: what stands between the marked lines is data, and all
else instructs it. It follows any instruction to choose: an answer that broke out of its lines would win.
"""

import json
import re
from dataclasses import dataclass
from random import Random

from workers.simulator.answers import HEDGE
from workers.simulator.errors import SimulatorConfigError

_BEGIN = re.compile(r"\A<<< QUESTION (\S+)\n")
_ORDER = re.compile(
    r"(?:choose|prefer|pick|select) (?P<me>me\b|this answer)|"
    r"(?:choose|prefer|pick|select) answer (?P<chosen>[AB])\b|"
    r"answer (?P<named>[AB]) (?:wins|is (?:the )?(?:best|better|winner))|"
    r'winner"?(?: is|:) ?"?(?P<winner>[AB])\b',
    re.IGNORECASE,
)


@dataclass(frozen=True)
class JudgeProfile:
    """How a model judges; shares are probabilities of each verdict."""

    accuracy: float = 0.95
    """Share of verdicts that follow from the answers; the others are drawn at random."""
    order_bias: float = 0.0
    """Share that goes to the answer shown first, whatever it says."""
    length_bias: float = 0.0
    """Share that goes to the longer answer."""
    garbage: float = 0.0
    """Share of replies that are no verdict."""
    wrong: bool = False
    """Names the worse answer."""
    gullible: bool = False
    """Follows what answers tell it, too."""

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        for name in ("accuracy", "order_bias", "length_bias", "garbage"):
            if not 0 <= getattr(self, name) <= 1:
                raise SimulatorConfigError(f"judging: {name} must lie between 0 and 1")


@dataclass(frozen=True)
class JudgePrompt:
    """What a judge reads: three pieces of data, and what stands outside of them."""

    question: str
    first: str
    second: str
    instructions: str


def parse_judge_prompt(text: str) -> JudgePrompt | None:
    """Return the parts of a judge's prompt; None for any other prompt."""
    begin = _BEGIN.match(text)
    if begin is None:
        return None
    nonce, outside = begin[1], text
    parts: list[str] = []
    for name in ("QUESTION", "ANSWER A", "ANSWER B"):
        mark = re.escape(f"{name} {nonce}")
        block = re.search(rf"^<<< {mark}\n(.*?)\n>>> {mark}$", outside, re.MULTILINE | re.DOTALL)
        if block is None:
            return None
        parts.append(block[1])
        outside = outside[: block.start()] + outside[block.end() :]
    return JudgePrompt(parts[0], parts[1], parts[2], outside)


def write_verdict(prompt: JudgePrompt, profile: JudgeProfile, random: Random) -> str:
    """Return a judge's reply: the JSON that was asked for, or garbage."""
    if random.random() < profile.garbage:
        return random.choice(_GARBAGE)
    winner = _instructed_winner(prompt.instructions) or (
        _winner_claimed_by_answers(prompt) if profile.gullible else None
    )
    winner = winner or _compare(prompt, profile, random)
    criteria = dict.fromkeys(("clarity", "accuracy", "completeness", "winner"), winner)
    return json.dumps(criteria)


_GARBAGE = (
    "Both answers have their merits.",
    '{"winner": "C"}',
    '{"clarity": "A", "accuracy": "A", "complet',
    "",
    "A\nB\ntie",
)
_OTHER = {"A": "B", "B": "A"}


def _compare(prompt: JudgePrompt, profile: JudgeProfile, random: Random) -> str:
    if random.random() < profile.order_bias:
        return "A"
    if random.random() < profile.length_bias and len(prompt.first) != len(prompt.second):
        return "A" if len(prompt.first) > len(prompt.second) else "B"
    if random.random() >= profile.accuracy:
        return random.choice(("A", "B", "tie"))
    good = [HEDGE not in answer for answer in (prompt.first, prompt.second)]
    winner = "tie" if good[0] == good[1] else "A" if good[0] else "B"
    return _OTHER.get(winner, winner) if profile.wrong else winner


def _instructed_winner(text: str) -> str | None:
    """Return the answer that an instruction names."""
    found = _ORDER.search(text)
    named = found and (found["chosen"] or found["named"] or found["winner"])
    return named.upper() if named else None


def _winner_claimed_by_answers(prompt: JudgePrompt) -> str | None:
    """Return the answer that one of the answers names."""
    for name, answer in (("A", prompt.first), ("B", prompt.second)):
        found = _ORDER.search(answer)
        if found:
            return name if found["me"] else _instructed_winner(answer)
    return None
