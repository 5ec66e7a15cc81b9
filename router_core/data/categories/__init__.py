"""The built-in categories: a labelled sample, written for this project, that teaches them.

`reasoning` holds every question with an answer that is right or wrong: puzzles, deduction, common sense,
multiple choice, questions about a passage, questions of fact. What asks for advice, an overview, a
translation, an extraction or just a chat is `other`.
"""

from __future__ import annotations

from pathlib import Path

from router_core.data.labelled_prompts import LabelledPrompt, read_labelled

SAMPLE_PATH = Path(__file__).with_name("sample.jsonl")


def read_sample() -> list[LabelledPrompt]:
    """Return the sample: prompts of the kinds people send, each with its category and no scores."""
    return list(read_labelled(SAMPLE_PATH))
