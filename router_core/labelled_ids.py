"""The ids of the labelled prompts that a router remembers, parsed only when an explanation is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

FILE = "labelled_ids.json"


@dataclass(frozen=True)
class LabelledIds:
    """A JSON list of ids in the order of the memory's rows; empty in routers that were saved without them."""

    data: bytes = b"[]"

    @classmethod
    def of(cls, ids: Iterable[str]) -> LabelledIds:
        """Keep ids."""
        return cls(json.dumps(list(ids), ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def at(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of some rows; a row without one is passed over."""
        return [self._ids[row] for row in rows if row < len(self._ids)]

    @cached_property
    def _ids(self) -> list[str]:
        return [str(name) for name in json.loads(self.data.decode("utf-8", "surrogatepass"))]
