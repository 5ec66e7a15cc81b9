"""Labelled prompts: the score of each model's answer to a prompt and, where known, its cost.

A file holds one JSON object a line, and may be compressed with gzip: `{"id", "prompt", "category"?, "task"?,
"scores": {model: float}, "costs": {model: usd}?, "tokens": {model: number}?}`. Other keys are ignored, higher
scores are better, and a row may lack a model.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.compression import COMPRESSION_ERRORS, decompressed
from router_core.errors import LabelsError
from router_core.regular_files import NotRegularFileError, open_regular_file, reason_of

#: A limit far above the length of any labelled prompt.
MAX_LINE_BYTES = 4 << 20


@dataclass(frozen=True)
class LabelledPrompt:
    """A prompt with each model's score (higher is better) and, where known, its cost in dollars.

    Attributes:
        id: The caller's name of the prompt.
        prompt: The text.
        category: The category for routing, if the row names one.
        task: A finer kind of prompt, such as the benchmark that it comes from, if the row names one.
        scores: The scores by model.
        costs: The costs by model, dollars for this prompt and its answer.
        tokens: The length of each model's answer, in tokens.
    """

    id: str
    prompt: str
    category: str | None
    task: str | None
    scores: Mapping[str, float]
    costs: Mapping[str, float] | None = None
    tokens: Mapping[str, float] | None = None


def read_labelled(
    path: str | Path, *, on_bad: Callable[[int, str], None] | None = None
) -> Iterator[LabelledPrompt]:
    """Yield the rows of a JSONL file one at a time; see `numbered_labelled`."""
    return (row for _, row in numbered_labelled(path, on_bad=on_bad))


def numbered_labelled(
    path: str | Path, *, on_bad: Callable[[int, str], None] | None = None
) -> Iterator[tuple[int, LabelledPrompt]]:
    """Yield the rows of a JSONL file with their lines; gzip, bz2, xz and zst are decompressed.

    Args:
        path: The file.
        on_bad: Called with the line and the reason of each row that is no labelled prompt; without it the
            first one is an error.

    Raises:
        LabelsError: A row is not a labelled prompt (the text names file, line and reason), or the path is a
            link, a device or a pipe, cannot be read, or has a line of more than `MAX_LINE_BYTES`.
    """
    path = Path(path)
    try:
        with open_regular_file(path) as raw_file, decompressed(raw_file, path) as stream:
            lines = iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b"")
            for line, raw in enumerate(lines, start=1):
                if len(raw) > MAX_LINE_BYTES:
                    raise LabelsError(f"{path}, line {line}: longer than {MAX_LINE_BYTES} bytes")
                if raw.strip() and (row := _parsed(raw, path, line, on_bad)) is not None:
                    yield line, row
    except NotRegularFileError:
        raise LabelsError(f"{path}: is not a regular file") from None
    except (FileNotFoundError, PermissionError) as error:
        raise LabelsError(f"{path}: cannot be read: {reason_of(error)}") from error
    except COMPRESSION_ERRORS as error:
        raise LabelsError(f"{path}: cannot be read: {type(error).__name__}") from error


def parse_labelled(raw: bytes | str) -> LabelledPrompt:
    """Return the labelled prompt in one line of JSON; raises ValueError with the reason."""
    row = _json_object(raw)
    return LabelledPrompt(
        id=_text(row, "id"),
        prompt=_text(row, "prompt"),
        category=_optional_text(row, "category"),
        task=_optional_text(row, "task"),
        scores=_numbers(row, "scores"),
        costs=_numbers(row, "costs", least=0.0) if row.get("costs") is not None else None,
        tokens=_numbers(row, "tokens", least=0.0) if row.get("tokens") is not None else None,
    )


def _parsed(
    raw: bytes, path: Path, line: int, on_bad: Callable[[int, str], None] | None
) -> LabelledPrompt | None:
    try:
        return parse_labelled(raw)
    except ValueError as error:
        if on_bad is None:
            raise LabelsError(f"{path}, line {line}: {error}") from None
        on_bad(line, str(error))
        return None


def model_names(rows: Iterable[LabelledPrompt]) -> tuple[str, ...]:
    """Return every model that has a score in any row, sorted."""
    return tuple(sorted({model for row in rows for model in row.scores}))


def score_matrix(rows: Sequence[LabelledPrompt], models: Sequence[str]) -> NDArray[np.float64]:
    """Return the scores, float64 [n rows, m models], NaN where a row has no score of the model."""
    return _matrix([row.scores for row in rows], models)


def cost_matrix(rows: Sequence[LabelledPrompt], models: Sequence[str]) -> NDArray[np.float64]:
    """Return the costs in dollars, float64 [n rows, m models], NaN where unknown."""
    return _matrix([row.costs or {} for row in rows], models)


def token_matrix(rows: Sequence[LabelledPrompt], models: Sequence[str]) -> NDArray[np.float64]:
    """Return the lengths of the answers in tokens, float64 [n rows, m models], NaN where unknown."""
    return _matrix([row.tokens or {} for row in rows], models)


def _matrix(values: Sequence[Mapping[str, float]], models: Sequence[str]) -> NDArray[np.float64]:
    table = [[row.get(model, math.nan) for model in models] for row in values]
    return np.array(table, dtype=np.float64).reshape(len(values), len(models))


def _json_object(raw: bytes | str) -> dict[str, Any]:
    try:
        row = json.loads(raw)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key!r} must be a non-empty string")
    return value


def _optional_text(row: dict[str, Any], key: str) -> str | None:
    return None if row.get(key) is None else _text(row, key)


def _numbers(row: dict[str, Any], key: str, *, least: float = -math.inf) -> dict[str, float]:
    """Return the numbers under `key` by model; a model whose value is null is left out."""
    values = row.get(key)
    if not isinstance(values, dict):
        raise ValueError(f"{key!r} must be an object of numbers by model")
    return {model: _number(value, key, least) for model, value in values.items() if value is not None}


def _number(value: object, key: str, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key!r} holds something that is not a number")
    if not -sys.float_info.max <= value <= sys.float_info.max:
        raise ValueError(f"{key!r} holds a number that is not finite")
    if value < least:
        raise ValueError(f"{key!r} holds a number below {least:g}")
    return float(value)
