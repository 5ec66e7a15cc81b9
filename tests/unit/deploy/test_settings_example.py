"""The example settings name every setting, and Waybill reads them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tasks.settings import ModelSettings, Settings, load_settings
from tests.support.paths import REPOSITORY

EXAMPLE = REPOSITORY / "deploy" / "waybill.example.toml"
KUBERNETES = REPOSITORY / "deploy" / "kubernetes"


def all_set(tmp_path: Path) -> Path:
    """The example with every key that it leaves out put in."""
    file = tmp_path / "waybill.toml"
    file.write_text(re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE))
    return file


def keys_of(section: type[BaseModel]) -> set[str]:
    """The keys of a section as the file names them."""
    return {field.alias or name for name, field in section.model_fields.items()}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path))


@pytest.mark.parametrize("file", [EXAMPLE, *KUBERNETES.glob("**/waybill.toml")])
def test_the_files_load_as_they_are(file: Path) -> None:
    assert len(load_settings(file).models) == 2


@pytest.mark.parametrize(
    "page", sorted((REPOSITORY / "docs" / "howto").glob("*.md")), ids=lambda page: page.stem
)
def test_the_settings_of_the_how_to_pages_load_and_name_models_with_a_price(
    page: Path, tmp_path: Path
) -> None:
    for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        file = tmp_path / "waybill.toml"
        file.write_text(block)
        assert all(model.known_price for model in load_settings(file).models)


def test_the_example_loads_with_every_key_set(tmp_path: Path) -> None:
    settings = load_settings(all_set(tmp_path))
    assert settings.redis.url is not None
    assert settings.router.tau is not None


def test_the_example_names_every_setting(tmp_path: Path) -> None:
    values = tomllib.loads(all_set(tmp_path).read_text())
    for name, field in Settings.model_fields.items():
        section: Any = values[name]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert set(section) == keys_of(field.annotation), name
    assert set(values["models"][0]) == set(ModelSettings.model_fields)


def test_the_example_shows_the_defaults() -> None:
    values, defaults = tomllib.loads(EXAMPLE.read_text()), Settings.model_construct()
    for name in ("router", "embedder", "dispatch", "judge", "upkeep", "flower", "metrics", "api"):
        for key, value in values[name].items():
            section = getattr(defaults, name).model_dump(by_alias=True)
            assert section[key] == value, f"[{name}] {key}"
    for key, field in ModelSettings.model_fields.items():
        if field.default is not None and not field.is_required() and not isinstance(field.default, BaseModel):
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert values["models"][0][key] == default, key


def test_the_settings_page_names_every_setting() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        assert name in page
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for key in keys_of(field.annotation):
                assert f"`{key}`" in page, f"[{name}] {key}"
    for key in ModelSettings.model_fields:
        assert f"`{key}`" in page, f"[[models]] {key}"
