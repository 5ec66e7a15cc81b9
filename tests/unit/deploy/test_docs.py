"""The documentation agrees with the code it speaks of."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from router_core.decisions import Reason
from tasks.formats.outputs.flat import COLUMNS
from tasks.providers.errors import ErrorKind
from tests.support.paths import REPOSITORY
from workers.cli.application import app

PAGES = [*sorted((REPOSITORY / "docs").rglob("*.md")), *sorted(REPOSITORY.glob("*.md"))]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generator", REPOSITORY / "docs" / "generate_commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_lines(page: Path) -> Iterator[str]:
    """The lines of code blocks that call `waybill`, and the calls of it that a sentence or a table names."""
    text = page.read_text()
    blocks = "".join(re.findall(r"^```(?:bash|sh|console)$(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    lines = re.findall(r"^ {4,}(waybill .*)$", text, re.MULTILINE) + re.findall(
        r"^(waybill .*)$", blocks, re.MULTILINE
    )
    for line in lines:
        yield line.split(" &")[0].partition("  #")[0].strip()
    for call in re.findall(r"`(waybill [a-z][^`\n]*--[^`\n]*)`", text):
        yield call.replace("\\|", "/").replace("…", "")


def scripts(page: Path) -> set[str]:
    """The files of `deploy/` that the lines of code blocks name."""
    lines = re.findall(r"^ {4,}(.*)$", page.read_text(), re.MULTILINE)
    return {name for line in lines for name in re.findall(r"(?<![\w/-])(deploy/[\w./@-]*\w)", line)}


def test_the_page_of_commands_is_what_the_help_says() -> None:
    advice = "run: python docs/generate_commands.py"
    assert (REPOSITORY / "docs" / "commands.md").read_text() == generator().page(), advice


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target
    for path in re.findall(r"`((?:tests|docs|deploy|tasks|workers|router_core)/[\w./]*)`", text):
        assert (REPOSITORY / path).exists(), path


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_lead_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def test_tests_that_are_named_exist() -> None:
    sources = "".join(file.read_text() for file in (REPOSITORY / "tests").rglob("test_*.py"))
    for page in PAGES:
        for name in re.findall(r"`(test_\w+)(?:`|\[)", page.read_text()):
            assert f"def {name}(" in sources, f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands
    for line in code_lines(page):
        _, name, *words = shlex.split(line)
        if name in {option for parameter in group.params for option in parameter.opts}:
            continue
        command = commands[name]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {"--help"} | {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        assert {word for word in words if re.match(r"-\w|--\w", word)} <= known, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_deploy_that_a_command_names_exists(page: Path) -> None:
    assert {name for name in scripts(page) if not (REPOSITORY / name).exists()} == set()


def test_formats_name_every_code_reason_and_column() -> None:
    formats, method = ((REPOSITORY / "docs" / name).read_text() for name in ("formats.md", "method.md"))
    parsed = "".join(file.read_text() for file in (REPOSITORY / "tasks" / "formats" / "inputs").glob("*.py"))
    codes = set(re.findall(r'(?:LineRejected|_invalid)\(\s*"(\w+)",', parsed)) | {
        kind.value for kind in ErrorKind
    }
    assert len(codes) > 25
    reasons = {reason.name.lower() for reason in Reason}
    assert {code for code in codes if f"`{code}`" not in formats} == set()
    assert {reason for reason in reasons if f"`{reason}`" not in method} == set()
    assert {column for column in COLUMNS if f"`{column}`" not in formats} == set()
