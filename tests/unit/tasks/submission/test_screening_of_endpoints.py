"""Requests go to the models that offer their endpoint; a line that none of them offers is refused."""

from __future__ import annotations

from typing import Any

from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import ModelSettings, Settings
from tasks.submission.screening import Screen
from tasks.submission.source import from_items

SETTINGS = Settings(
    models=(
        ModelSettings(name="chat", litellm="openai/gpt-4o-mini"),
        ModelSettings(name="base", litellm="openai/x", endpoints=("/v1/completions",)),
        ModelSettings(name="vectors", litellm="openai/text-embedding-3-small"),
        ModelSettings(name="guard", litellm="openai/omni-moderation-latest"),
    )
)


def screened(url: str, settings: Settings = SETTINGS, **body: Any) -> ParsedRequest | InputError:
    screen = Screen({model.name: model.known_capabilities for model in settings.models})
    line = {"custom_id": "a", "method": "POST", "url": url, "body": body}
    [item] = screen.over(from_items([line], settings))
    return item


def left(item: ParsedRequest | InputError) -> set[str]:
    assert isinstance(item, ParsedRequest), item
    return {"chat", "base", "guard"} - set(item.left_out or ())


def test_each_endpoint_is_routed_among_the_models_that_offer_it() -> None:
    hello = [{"role": "user", "content": "hello"}]
    assert left(screened("/v1/chat/completions", messages=hello)) == {"chat"}
    assert left(screened("/v1/responses", input="hello")) == {"chat"}
    assert left(screened("/v1/completions", prompt="hello")) == {"base"}
    assert left(screened("/v1/moderations", input="hello")) == {"guard"}


def test_a_line_whose_model_lacks_its_endpoint_is_refused() -> None:
    error = screened("/v1/embeddings", input="hello", model="chat")
    assert isinstance(error, InputError)
    assert (error.code, error.reason) == ("no_capable_model", "the model chat does not offer /v1/embeddings")
    assert isinstance(screened("/v1/embeddings", input="hello", model="vectors"), ParsedRequest)


def test_a_line_that_no_model_can_answer_is_refused() -> None:
    only_vectors = Settings(models=(SETTINGS.model("vectors"),))
    error = screened("/v1/responses", only_vectors, input="hello")
    assert isinstance(error, InputError)
    assert error.code == "no_capable_model"


def test_images_and_schemas_of_responses_are_needs() -> None:
    parts = [{"type": "input_image", "image_url": "https://x/y.png"}]
    form = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}
    item = screened("/v1/responses", input=[{"role": "user", "content": parts}], text=form)
    assert isinstance(item, ParsedRequest)
    assert item.needs == {"/v1/responses", "image", "json_schema"}


def test_what_is_said_of_no_model_is_tried_only_where_a_request_names_it() -> None:
    own = Settings(models=(ModelSettings(name="own", litellm="openai/mine", api_base="http://127.0.0.1/v1"),))
    assert isinstance(screened("/v1/moderations", own, input="hello", model="own"), ParsedRequest)
    assert isinstance(screened("/v1/moderations", own, input="hello"), InputError)
    said = Settings(models=(own.models[0].model_copy(update={"endpoints": ("/v1/completions",)}),))
    assert isinstance(screened("/v1/moderations", said, input="hello", model="own"), InputError)
