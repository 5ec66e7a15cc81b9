"""The built-in categories, defined by a sample of labelled prompts that was written for this project.

`reasoning` is every question with an answer that is right or wrong: puzzles, deduction, common sense,
multiple choice, questions about a passage, questions of fact. A prompt that asks for advice, an overview, a
translation or an extraction, or is just a chat, is `other`.
"""

from __future__ import annotations

from pathlib import Path

from router_core.data.labelled_prompts import LabelledPrompt, read_labelled

SAMPLE_PATH = Path(__file__).with_name("sample.jsonl")


def read_sample() -> list[LabelledPrompt]:
    """Return the sample: prompts as users send them, each with its category and without scores."""
    return list(read_labelled(SAMPLE_PATH))
