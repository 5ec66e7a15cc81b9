"""What the page takes from npm: each file is of the named release, with its licence, and in the wheel."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

PAGE = REPOSITORY / "workers" / "page"
VENDOR = PAGE / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "vendored.json").read_text())


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_a_vendored_file_is_the_one_in_the_manifest(name: str) -> None:
    entry = MANIFEST[name]
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == entry["sha256"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    text = (VENDOR / entry["license_file"]).read_text()
    assert {"0BSD": "Zero", "MIT": "MIT"}[entry["license"]] in text


def test_the_manifest_names_every_vendored_file() -> None:
    licences = {entry["license_file"] for entry in MANIFEST.values()}
    assert {one.name for one in VENDOR.iterdir()} == {*MANIFEST, *licences, "vendored.json"}


def test_the_wheel_holds_templates_and_static_files() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["workers"]
    own = [one for one in PAGE.rglob("*") if one.is_file() and one.suffix not in (".py", ".pyc")]
    assert own
    assert [one for one in own if not _is_packaged(one, patterns)] == []


def test_no_template_has_a_style_or_a_script_of_its_own_or_of_another_host() -> None:
    for template in (PAGE / "templates").glob("*.html"):
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"\{\{ static_url)", text), (
            template.name
        )
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), template.name
        assert "| safe" not in text, template.name


def _is_packaged(file: Path, patterns: list[str]) -> bool:
    name = str(file.relative_to(REPOSITORY / "workers"))
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
