"""What the Python API takes as prompts: texts, dicts, tables, files and URLs."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, KeysView, Mapping, Set
from io import IOBase
from os.path import isfile
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tasks.formats.inputs.frames import is_table
from tasks.formats.inputs.names import listed
from tasks.formats.inputs.options import InputOptions
from tasks.formats.locations.expansion import expanded, source_name
from tasks.formats.locations.location import is_url
from tasks.settings import Settings
from tasks.store.batches import PYTHON
from tasks.submission.source import Accepted, Item, from_files, from_items
from workers.arguments import in_python
from workers.user_warnings import warn_user


class SupportsArrow(Protocol):
    """A table that gives itself to Arrow: data frames, Arrow tables, Hugging Face datasets."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a stream of record batches (Arrow PyCapsule interface)."""


Prompts: TypeAlias = Iterable[str | dict[str, Any] | Path] | SupportsArrow | Path | str


def lines_of(
    prompts: Prompts, settings: Settings | Accepted, options: InputOptions
) -> tuple[Iterable[Item], str]:
    """Return the lines to submit and the name of their source; `settings` say what lines may name."""
    _refuse_what_is_no_list(prompts)
    files = _files(prompts)
    if files:
        found = expanded(files)
        return from_files(found, settings, options=options, on_notice=_warn), source_name(found)
    _refuse_names_of_files(prompts)
    return from_items(prompts, settings, options=options, on_notice=_warn), PYTHON


def _refuse_what_is_no_list(prompts: object) -> None:
    """Raise TypeError for what can be iterated over, but yields no prompts: letters, keys, bytes, lines."""
    if isinstance(prompts, str) and not is_url(prompts):
        raise TypeError("prompts is one text: give a list of prompts, or a pathlib.Path to a file")
    if isinstance(prompts, str | Path) or is_table(prompts):
        return
    kind = type(prompts).__name__
    if isinstance(prompts, Mapping):
        raise TypeError(_mapping_text(prompts))
    if isinstance(prompts, bytes | bytearray | memoryview):
        raise TypeError(f"prompts is {kind}: decode it, and give a list of prompts")
    if isinstance(prompts, Set) and not isinstance(prompts, KeysView | ItemsView):
        raise TypeError(f"prompts is a {kind}, which has no order: give a list, whose order the results have")
    if isinstance(prompts, IOBase):
        raise TypeError("prompts is an open file: give its path as a pathlib.Path")
    if not isinstance(prompts, Iterable) and not hasattr(prompts, "__getitem__"):
        raise TypeError(f"prompts is a {kind}: give a list of prompts, a table, or a pathlib.Path to a file")


def _refuse_names_of_files(prompts: object) -> None:
    """Raise TypeError for a list of texts that all name files here: the files are meant."""
    if (
        isinstance(prompts, list | tuple)
        and prompts
        and all(isinstance(one, str) and isfile(one) for one in prompts)
    ):
        raise TypeError(
            f"prompts names files, such as {prompts[0]!r}: give pathlib.Path({prompts[0]!r}), or "
            "{'prompt': …} where the name itself is the prompt"
        )


def _mapping_text(prompts: Mapping[Any, Any]) -> str:
    names = listed(prompts)
    is_request = not {"prompt", "messages", "body"}.isdisjoint(prompts)
    if is_request and not any(isinstance(value, Mapping) for value in prompts.values()):
        return f"prompts is one request ({names}): give a list of requests"
    return (
        f"prompts is a {type(prompts).__name__} ({names}): give a list of its values, a data frame, "
        "or a dict whose values are columns of equal length"
    )


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
    warn_user(in_python(text))
