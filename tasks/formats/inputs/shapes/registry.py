"""The shapes by name, and which one a line or table seems to have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tasks.formats.inputs.options import Plan, Shape
from tasks.formats.inputs.shapes import data_sets
from tasks.formats.inputs.shapes.anthropic import anthropic
from tasks.formats.inputs.shapes.conversation import Fields
from tasks.formats.inputs.shapes.gemini import gemini


class ShapeReader(NamedTuple):
    """A shape: what people call it, the keys that it needs, those that it may have, and its reader."""

    title: str
    keys: frozenset[str]
    optional: frozenset[str]
    read: Callable[[Fields, Plan], Fields]


def _shape(title: str, keys: str, optional: str, read: Callable[[Fields, Plan], Fields]) -> ShapeReader:
    return ShapeReader(title, frozenset(keys.split()), frozenset(optional.split()), read)


_TOOLS = "tools parallel_tool_calls functions"

SHAPES: Mapping[Shape, ShapeReader] = MappingProxyType({
    Shape.ALPACA: _shape("Alpaca", "instruction", "input system", data_sets.alpaca),
    Shape.SHAREGPT: _shape("ShareGPT", "conversations", "system", data_sets.sharegpt),
    Shape.MT_BENCH: _shape("MT-Bench", "turns", "question_id", data_sets.mt_bench),
    Shape.FINE_TUNING: _shape("fine-tuning", "messages", _TOOLS, data_sets.fine_tuning),
    Shape.ANTHROPIC: _shape("Anthropic batch", "params", "custom_id", anthropic),
    Shape.GEMINI: _shape("Gemini batch", "request", "key", gemini),
})  # fmt: skip


def recognised(names: Collection[object]) -> Shape | None:
    """Return the shape whose keys are all there; `messages` alone is Waybill's own."""
    found = (shape for shape, reader in SHAPES.items() if reader.keys.issubset(names))
    return next((shape for shape in found if shape != Shape.FINE_TUNING), None)


def hint(names: Collection[object]) -> str:
    """Return which options would read a line or a table with these keys, for people."""
    shape = recognised(names)
    options = "--prompt-column names it, or --template fills it in"
    return f"it looks like {SHAPES[shape].title} (--shape {shape}); {options}" if shape else options
