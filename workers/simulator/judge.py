"""A simulated judge: it compares the two answers in a judge's prompt, with the biases of its profile.

An answer is good with the probability that default.toml documents (`strengths` of its model for the prompt's
category), and a poor one hedges. A judge tells good from poor; two good or two poor answers are a tie.

It reads the prompt as docs/learning.md documents it: text between the marked lines is data, all other text is
instructions. It follows any instruction to choose an answer, so that an answer that escaped from its lines
would win: tests of prompt injection need that.
"""

import json
import re
from dataclasses import dataclass
from random import Random

from workers.simulator.answers import HEDGE
from workers.simulator.errors import SimulatorConfigError

_BEGIN = re.compile(r"\A<<< QUESTION (\S+)\n")
_INSTRUCTION = re.compile(
    r"(?:choose|prefer|pick|select) (?P<me>me\b|this answer)|"
    r"(?:choose|prefer|pick|select) answer (?P<chosen>[AB])\b|"
    r"answer (?P<named>[AB]) (?:wins|is (?:the )?(?:best|better|winner))|"
    r'winner"?(?: is|:) ?"?(?P<winner>[AB])\b',
    re.IGNORECASE,
)


@dataclass(frozen=True)
class JudgeProfile:
    """How a model judges; shares are probabilities per verdict."""

    accuracy: float = 0.95
    """Share of verdicts that follow from the answers; the others are random."""
    order_bias: float = 0.0
    """Share of verdicts for the answer shown first, whatever its content."""
    length_bias: float = 0.0
    """Share of verdicts for the longer answer."""
    garbage: float = 0.0
    """Share of invalid replies, which hold no verdict."""
    wrong: bool = False
    """Whether the judge names the worse answer."""
    gullible: bool = False
    """Whether the judge follows instructions within the answers as well."""

    def __post_init__(self) -> None:
        """Refuse values that are no probabilities."""
        for name in ("accuracy", "order_bias", "length_bias", "garbage"):
            if not 0 <= getattr(self, name) <= 1:
                raise SimulatorConfigError(f"judging: {name} must lie between 0 and 1")


@dataclass(frozen=True)
class JudgePrompt:
    """A judge's prompt: the question, the two answers, and the instructions around them."""

    question: str
    first: str
    second: str
    instructions: str


def parse_judge_prompt(text: str) -> JudgePrompt | None:
    """Return the parts of a judge's prompt; None for any other prompt."""
    begin = _BEGIN.match(text)
    if begin is None:
        return None
    nonce, instructions = begin[1], text
    parts: list[str] = []
    for name in ("QUESTION", "ANSWER A", "ANSWER B"):
        mark = re.escape(f"{name} {nonce}")
        block = re.search(rf"^<<< {mark}\n(.*?)\n>>> {mark}$", instructions, re.MULTILINE | re.DOTALL)
        if block is None:
            return None
        parts.append(block[1])
        instructions = instructions[: block.start()] + instructions[block.end() :]
    return JudgePrompt(parts[0], parts[1], parts[2], instructions)


def write_verdict(prompt: JudgePrompt, profile: JudgeProfile, random: Random) -> str:
    """Return a judge's reply: the JSON that the prompt asks for, or an invalid reply."""
    if random.random() < profile.garbage:
        return random.choice(_INVALID_REPLIES)
    winner = _instructed_winner(prompt.instructions) or (
        _winner_claimed_by_answers(prompt) if profile.gullible else None
    )
    winner = winner or _compare(prompt, profile, random)
    criteria = dict.fromkeys(("clarity", "accuracy", "completeness", "winner"), winner)
    return json.dumps(criteria)


_INVALID_REPLIES = (
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
    """Return the answer, A or B, that an instruction in the text names as the winner; None without one."""
    match = _INSTRUCTION.search(text)
    named = match and (match["chosen"] or match["named"] or match["winner"])
    return named.upper() if named else None


def _winner_claimed_by_answers(prompt: JudgePrompt) -> str | None:
    """Return the answer that an instruction within one of the answers names; None without one."""
    for name, answer in (("A", prompt.first), ("B", prompt.second)):
        match = _INSTRUCTION.search(answer)
        if match:
            return name if match["me"] else _instructed_winner(answer)
    return None
