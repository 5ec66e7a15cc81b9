"""A model whose package is missing is refused at submission, with the package's name."""

from __future__ import annotations

import pytest

from tasks.errors import SettingsError
from tasks.settings import ModelSettings, Settings
from tasks.submission.options import options_for

GOOD = ModelSettings(name="good", litellm="openai/good", input_price=1, output_price=2)
BAD = ModelSettings(name="bad", litellm="vllm/llama", input_price=1, output_price=2)


def test_a_candidate_that_cannot_be_called_is_refused_with_advice() -> None:
    with pytest.raises(SettingsError, match=r"'bad'.*use hosted_vllm/"):
        options_for(Settings(models=(GOOD, BAD)))


def test_other_models_of_the_settings_are_no_concern_of_a_batch() -> None:
    assert options_for(Settings(models=(GOOD, BAD)), models=["good"]).models == ("good",)
