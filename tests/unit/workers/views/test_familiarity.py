"""Prompts unlike the labels are called an estimate, with what to do only where they are many."""

from __future__ import annotations

from router_core.monitoring.familiarity import Familiarity
from workers.views.familiarity import unfamiliar_text, unfamiliar_warning


def test_the_number_is_called_an_estimate() -> None:
    text = unfamiliar_text(Familiarity(404, 196))
    assert text == "about 196 of 600 prompts (33%, estimated) are unlike the labels"
    assert unfamiliar_text(None) == unfamiliar_text(Familiarity(0, 0)) == ""


def test_what_to_do_is_said_where_they_are_many() -> None:
    warning = unfamiliar_warning(Familiarity(404, 196), "batch_1")
    assert warning.endswith(
        "unlike the labels: `waybill collect batch_1 --by novelty` asks for labels of them"
    )
    assert unfamiliar_warning(Familiarity(590, 10), "batch_1") == unfamiliar_warning(None, "batch_1") == ""
