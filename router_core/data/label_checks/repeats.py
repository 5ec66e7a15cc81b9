"""Ids and prompts that come twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from router_core.data.label_checks.places import Found, count


class RepeatCheck:
    """Counts repeated ids and prompts; of each row it keeps two hashes."""

    def __init__(self) -> None:
        self._prompts: dict[int, int] = {}
        self._ids: dict[int, int] = {}
        self._same: Found | None = None
        self._reused: Found | None = None
        self._repeated: Found | None = None

    def add(self, id: str | None, prompt: str, place: str, *, of: Hashable = None) -> None:
        """Take in a row; an id or a prompt that comes again, but `of` something else, is no repeat."""
        own_id, own_prompt = hash((id, of)), hash((prompt, of))
        if id is not None and self._prompts.setdefault(own_id, own_prompt) != own_prompt:
            self._reused = count(self._reused, place)
        elif own_prompt not in self._ids:
            self._ids[own_prompt] = own_id
        elif self._ids[own_prompt] == own_id:
            self._same = count(self._same, place)
        else:
            self._repeated = count(self._repeated, place)

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each kind of repeats."""
        if self._reused:
            yield f"an id that another prompt has comes again in {self._reused.rows}"
        if self._repeated:
            yield f"a prompt comes again under another id in {self._repeated.rows}: it counts twice"
        if self._same:
            yield f"id and prompt of an earlier row come again in {self._same.rows}: they count as one"
