"""What the Python API takes as prompts: texts, dicts, tables, files and URLs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tasks.formats.inputs.options import InputOptions
from tasks.formats.locations.expansion import expanded, source_name
from tasks.formats.locations.location import is_url
from tasks.settings import Settings
from tasks.submission.source import Item, from_files, from_items


class SupportsArrow(Protocol):
    """A table that gives itself to Arrow: data frames, Arrow tables, Hugging Face datasets."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a stream of record batches (Arrow PyCapsule interface)."""


Prompts: TypeAlias = Iterable[str | dict[str, Any] | Path] | SupportsArrow | Path | str


def lines_of(prompts: Prompts, settings: Settings, options: InputOptions) -> tuple[Iterable[Item], str]:
    """Return the lines to submit and the name of their source."""
    if isinstance(prompts, str) and not is_url(prompts):
        raise TypeError("prompts is one text: give a list of prompts, or a pathlib.Path to a file")
    files = _files(prompts)
    if files:
        found = expanded(files)
        return from_files(found, settings, options=options, on_notice=_warn), source_name(found)
    return from_items(prompts, settings, options=options, on_notice=_warn), "python"


def _files(prompts: Prompts) -> list[str | Path]:
    """Return the files that are meant; texts without a path among them are prompts, even if they are URLs."""
    if isinstance(prompts, str | Path):
        return [prompts]
    if not isinstance(prompts, list) or not any(isinstance(item, Path) for item in prompts):
        return []
    files = [item for item in prompts if isinstance(item, str | Path)]
    if len(files) < len(prompts):
        raise TypeError("a list holds files or prompts, not both")
    return files


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=2)
