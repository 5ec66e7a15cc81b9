"""OpenAI's own client takes the simulator's completions, embeddings and moderations for OpenAI's."""

from __future__ import annotations

import openai
import pytest

from workers.simulator import SimulatorProcess
from workers.simulator.protocols.openai_embeddings import MAX_INPUTS, vector_of


@pytest.fixture(params=["/v1", "/openai/v1"])
def client(simulator: SimulatorProcess, request: pytest.FixtureRequest) -> openai.OpenAI:
    base = simulator.base_url.removesuffix("/v1") + request.param
    return openai.OpenAI(api_key="sk-key", base_url=base, max_retries=0)


def test_completions_have_a_text_for_each_prompt(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="sim-nano", prompt=["Once", "Twice"], max_tokens=8)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert all(choice.text for choice in answer.choices)
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 8
    echoed = client.completions.create(model="sim-nano", prompt="Once", echo=True)
    assert echoed.choices[0].text.startswith("Once")


def test_vectors_are_those_of_the_texts_however_they_are_encoded(client: openai.OpenAI) -> None:
    # The client asks for Base64 by itself and decodes it.
    packed = client.embeddings.create(model="sim-nano", input=["a", "b"])
    plain = client.embeddings.create(model="sim-nano", input="b", encoding_format="float", dimensions=8)
    assert packed.data[1].embedding == pytest.approx(vector_of("b"), abs=1e-6)
    assert plain.data[0].embedding == pytest.approx(vector_of("b", 8))
    assert packed.usage.prompt_tokens == packed.usage.total_tokens == 2


@pytest.mark.parametrize("given", [[], [""], ["x"] * (MAX_INPUTS + 1), ["word " * 300_000]])
def test_embeddings_have_openais_limits(client: openai.OpenAI, given: list[str]) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="sim-nano", input=given)


def test_moderations_name_the_categories(client: openai.OpenAI) -> None:
    found = client.moderations.create(model="sim-nano", input=["I will kill you", "good morning"])
    assert [result.flagged for result in found.results] == [True, False]
    assert found.results[0].categories.violence
    assert not found.results[0].categories.violence_graphic
