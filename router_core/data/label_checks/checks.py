"""The checks of labels, in one pass over their rows."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping

from router_core.data.label_checks.names import NameCheck
from router_core.data.label_checks.places import Found, count
from router_core.data.label_checks.repeats import RepeatCheck
from router_core.data.label_checks.scales import ScaleCheck


class LabelChecks:
    """Finds labels that are probably wrong: scales, misspelt models, rows without a score, repeats.

    A sentence names count, first place and model, and no text of a prompt.
    """

    def __init__(self) -> None:
        self._names, self._scales, self._repeats = NameCheck(), ScaleCheck(), RepeatCheck()
        self._empty: Found | None = None

    def add(
        self,
        scores: Mapping[str, float | None],
        file: str,
        line: int,
        *,
        id: str | None,
        prompt: str,
        of: Hashable = None,
    ) -> None:
        """Take in a row of labels.

        Args:
            scores: The scores by model; None for one that is compared and has no score.
            file: The file, as people know it.
            line: The line of the row.
            id: Its id, if it has one.
            prompt: Its prompt.
            of: Whose labels they are, if the same prompt may come again with those of others.
        """
        place = f"{file}, line {line}"
        known = {model: score for model, score in scores.items() if score is not None}
        self._scales.add(known, file, place)
        self._repeats.add(id, prompt, place, of=of)
        self.add_models(scores, place)

    def add_models(self, models: Collection[str], place: str) -> None:
        """Take in a row of which only the models are known."""
        self._names.add(models, place)
        if not models:
            self._empty = count(self._empty, place)

    def warnings(self, *, known: Collection[str] = (), score_range: float | None = None) -> Iterator[str]:
        """Yield a sentence for each thing found.

        Args:
            known: The names of models that are right, if any are known.
            score_range: The range of the scores that a router learnt from, highest less lowest.
        """
        yield from self._scales.warnings(score_range)
        yield from self._names.warnings(known)
        if self._empty:
            yield f"no model has a score in {self._empty.rows}"
        yield from self._repeats.warnings()
