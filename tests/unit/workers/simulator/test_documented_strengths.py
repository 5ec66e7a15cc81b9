"""Help and docs name the simulator's strengths as the simulator has them."""

import inspect

import pytest

from tests.support.paths import REPOSITORY
from workers.cli.demo import demo
from workers.simulator import default_config

ORDER = ("mathematics", "coding", "reasoning", "summarization", "creative_writing")
PAGE = REPOSITORY / "docs" / "learning.md"


@pytest.mark.parametrize("text", [inspect.getdoc(demo) or "", PAGE.read_text()], ids=["help", "docs"])
def test_the_strengths_that_are_documented_are_those_of_the_simulator(text: str) -> None:
    rows = [line.replace("|", " ").replace("*", " ").split() for line in text.splitlines()]
    for model in default_config().models:
        strengths = [f"{model.strengths[category]:.2f}" for category in ORDER]
        assert [model.name, *strengths] in [row[:6] for row in rows]
