"""Parameters that a model does not take: counted at submission without importing LiteLLM, or refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import ModelSettings, Settings
from tasks.store.engine import Store
from tasks.submission import dropped
from tasks.submission.dropped import DroppedParameters
from tasks.submission.estimate import estimate
from tasks.submission.options import options_for
from tasks.submission.screening import Screen
from tasks.submission.source import Item, from_items
from tasks.submission.submit import submit
from workers.views.parameters import dropped_texts

MODELS = {
    "o3": {"litellm": "openai/o3-mini"},
    "claude": {"litellm": "anthropic/claude-sonnet-4-5"},
    "own": {"litellm": "openai/llama", "api_base": "http://127.0.0.1:1"},
    "direct": {"litellm": "openai/o3-mini", "api_base": "http://127.0.0.1:1", "transport": "direct"},
}
SETTINGS = Settings(
    models=tuple(
        ModelSettings(name=name, input_price=1, output_price=1, **values)  # type: ignore[arg-type]
        for name, values in MODELS.items()
    )
)


@pytest.fixture(scope="module", autouse=True)
def _cache_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What one test has asked LiteLLM, the next one knows: it takes seconds to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "waybill"


def screened(lines: list[Any], **options: Any) -> tuple[list[Item], dict[str, dict[str, int]]]:
    with closing(Screen.of(options_for(SETTINGS, **options))) as screen:
        return list(screen.over(from_items(lines, SETTINGS))), screen.dropped()


def left_out(item: Item) -> Any:
    assert isinstance(item, ParsedRequest), item
    return item.left_out


def test_they_are_counted_by_the_model_that_may_answer() -> None:
    lines = [{"prompt": f"{n}", "temperature": 0.5, "seed": 1} for n in range(3)]
    lines += [{"prompt": "one", "temperature": 1}, {"prompt": "two", "temperature": 0, "model": "o3"}]
    items, counts = screened([*lines, "plain"])
    assert [left_out(item) for item in items] == [None] * 6
    assert counts == {"seed": {"claude": 3}, "temperature": {"o3": 4}}
    assert dropped_texts(counts) == [
        "seed is dropped for claude: 3 requests",
        "temperature is dropped for o3: 4 requests",
    ]


def test_the_estimate_counts_them() -> None:
    lines = [{"prompt": "a", "temperature": 0.5}]
    options = options_for(SETTINGS)
    assert estimate(from_items(lines, SETTINGS), SETTINGS, options=options).dropped == {
        "temperature": {"o3": 1}
    }
    assert estimate(from_items(["a"], SETTINGS), SETTINGS, options=options).dropped == {}


def test_a_submission_tells_of_them_and_asks_one_process(
    store: Store, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    start = dropped._started
    monkeypatch.setattr(dropped, "_started", lambda: started.append(1) or start())
    lines = [{"prompt": "a", "logprobs": True}, {"prompt": "b", "temperature": 0.5}]
    said: dict[str, dict[str, int]] = {}
    items = from_items(lines, SETTINGS)
    submit(store, items, source="test", options=options_for(SETTINGS), on_dropped=said.update)
    assert said == {"temperature": {"o3": 1}}
    assert len(started) == 1


def test_strict_parameters_leave_those_models_out_and_refuse_what_none_takes() -> None:
    lines = [
        {"prompt": "a", "temperature": 0.5},
        {"prompt": "b", "seed": 1},
        {"prompt": "c", "temperature": 0.5, "model": "o3"},
        {"prompt": "d"},
    ]
    items, counts = screened(lines, strict_params=True)
    assert [left_out(item) for item in (items[0], items[1], items[3])] == [
        {"o3": "temperature"},
        {"claude": "seed"},
        None,
    ]
    assert counts == {}
    assert isinstance(items[2], InputError)
    assert items[2].reason == "the model o3 does not take temperature"
    refused, _ = screened(lines[:1], strict_params=True, models=["o3"])
    assert isinstance(refused[0], InputError)
    assert refused[0].reason == "no model can answer it: o3 does not take temperature"


def test_a_model_that_drops_what_a_request_is_about_cannot_answer_it() -> None:
    items, _ = screened([{"prompt": "a", "logprobs": True}])
    assert left_out(items[0]) == {"o3": "logprobs", "claude": "logprobs"}


def test_what_litellm_said_is_kept_and_holds_nothing_of_a_request(cache: Path) -> None:
    screened([{"prompt": "secret", "user": "secret", "stop": "secret", "reasoning_effort": "Secret words"}])
    (file,) = cache.iterdir()
    assert "ecret" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    known = DroppedParameters()
    for key, names in json.loads(file.read_text()).items():
        model, _, samples = key.partition(" ")
        assert known.of(model, samples) == frozenset(names)
    assert known._process is None, "nobody was asked again"


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "{"])
def test_a_damaged_cache_is_as_good_as_none(cache: Path, content: str) -> None:
    cache.mkdir(parents=True)
    DroppedParameters()._file.write_text(content)
    assert DroppedParameters()._known == {}


def test_submission_imports_no_litellm() -> None:
    code = (
        "import sys, tasks.submission.submit, tasks.submission.estimate, workers.client\n"
        "assert 'litellm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
