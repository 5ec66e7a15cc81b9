"""Writes docs/commands.md from the command line's own help: `python docs/generate_commands.py`."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from workers.cli.application import app
from workers.cli.help import changing_names

PAGE = Path(__file__).with_name("commands.md")

HEAD = """# Commands

<!-- Written by docs/generate_commands.py from the command's own help; a test compares them. -->

Data goes to stdout, everything else to stderr. Exit statuses: 0 done, 1 error, 2 usage, 3 some requests
failed (or, for `route`, some lines were bad), 4 the budget stopped the batch.
"""


def page() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    sections = [_section(name, command) for name, command in _commands("waybill", group)]
    return "\n".join([HEAD, *_table("Before any command", group.params), *sections])


def _commands(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command with its full name, those of groups as well."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{prefix} {name}", command)
        else:
            yield f"{prefix} {name}", command


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(_argument(p) for p in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"## `{name}`", "", " ".join(command.help.split()), "", f"    {usage}", ""]
    return "\n".join([*lines, *_table("Argument", arguments), *_table("Option", options)])


def _table(title: str, parameters: list[Any]) -> Iterator[str]:
    shown = [p for p in parameters if p.name != "help" and not getattr(p, "hidden", False)]
    if not shown:
        return
    yield from (f"| {title} | |", "|---|---|")
    yield from (f"| {_name(p)} | {_meaning(p)} |" for p in shown)
    yield ""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`"
    names = ", ".join(f"`{name}`" for name in changing_names(parameter))
    return names if parameter.is_flag else f"{names} `{_value(parameter)}`"


def _argument(parameter: Any) -> str:
    name = str(parameter.name).upper() + ("…" if parameter.nargs != 1 else "")
    return name if parameter.required else f"[{name}]"


def _value(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if parameter.metavar:
        return str(parameter.metavar).replace("|", "\\|")
    return "\\|".join(kind) if issubclass(kind, StrEnum) else str(kind.__name__).upper()


def _meaning(parameter: Any) -> str:
    text = (parameter.help or "").replace("|", "\\|")
    default = parameter.default
    if parameter.required and parameter.param_type_name == "option":
        return f"{text} Required."
    silent = default is None or callable(default) or default in ("", False, ()) or parameter.is_flag
    silent |= not getattr(parameter, "show_default", True)  # its text says it
    return text if silent or parameter.param_type_name == "argument" else f"{text} Default: `{default}`."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
