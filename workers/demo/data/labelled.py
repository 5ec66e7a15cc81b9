"""The labelled prompts of the demo's router; scores follow the strengths documented in the simulator.

The file is generated and kept in the repository, so that a new installation has it at once:
`python -m workers.demo.data` writes it again.
"""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from workers.demo.data.prompts import DemoPrompt, write_prompts
from workers.simulator.config import ModelProfile
from workers.simulator.loading import default_config
from workers.simulator.requests import count_tokens

LABELLED_PATH = Path(__file__).with_name("labelled.jsonl")
LABELLED_SEED = 20250914

_PROMPTS = 400
#: How much a hard prompt lowers a score at most; an easy one raises it as much.
_HARDNESS = 0.35
#: The standard deviation of a score's noise.
_NOISE = 0.12


def labelled_rows() -> Iterator[dict[str, Any]]:
    """Yield 400 rows `{id, prompt, category, scores, costs}`; scores in [0, 1], costs in US dollars."""
    models, random = default_config().models, Random(LABELLED_SEED)
    for number, prompt in enumerate(islice(write_prompts(LABELLED_SEED), _PROMPTS)):
        yield {
            "id": f"demo-{number:04d}",
            "prompt": prompt.text,
            "category": prompt.category,
            "scores": {model.name: _score(model, prompt, random) for model in models},
            "costs": {model.name: _cost(model, prompt, random) for model in models},
        }


def write_labelled(path: Path) -> None:
    """Write the rows as JSONL, the same bytes every time."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in labelled_rows())
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _score(model: ModelProfile, prompt: DemoPrompt, random: Random) -> float:
    strength = model.strengths[prompt.category]
    # Difficulty matters more to a weak model than to a strong one.
    shift = _HARDNESS * (1 - strength) * (-1 if prompt.hard else 1)
    return round(min(1.0, max(0.0, random.gauss(strength + shift, _NOISE))), 2)


def _cost(model: ModelProfile, prompt: DemoPrompt, random: Random) -> float:
    completion_tokens = round(model.output_tokens[prompt.category] * random.uniform(0.7, 1.3))
    return model.micro_usd(count_tokens(prompt.text), completion_tokens) / 1_000_000
