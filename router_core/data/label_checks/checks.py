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
        self._names, self._repeats = NameCheck(), RepeatCheck()
        #: by who gave the scores
        self._scales: dict[Hashable, ScaleCheck] = {}
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
        rater: Hashable = None,
    ) -> None:
        """Take in a row of labels.

        Args:
            scores: The scores by model; None for one that is compared and has no score.
            file: The file, as people know it.
            line: The line of the row.
            id: Its id, if it has one.
            prompt: Its prompt.
            of: Whose labels they are, if the same prompt may come again with those of others.
            rater: Who gave the scores, if everybody has a scale of their own.
        """
        place = f"{file}, line {line}"
        known = {model: score for model, score in scores.items() if score is not None}
        self._scales.setdefault(rater, ScaleCheck()).add(known, file, place)
        self._repeats.add(id, prompt, place, of=of)
        self.add_models(scores, place)

    def add_models(self, models: Collection[str], place: str) -> None:
        """Take in a row of which only the models are known."""
        self._names.add(models, place)
        if not models:
            self._empty = count(self._empty, place)

    def mistakes(self, *, known: Collection[str] = (), score_range: float | None = None) -> Iterator[str]:
        """Yield a sentence for each scale of its own and each misspelt model: training would learn them."""
        for scale in self._scales.values():
            yield from scale.warnings(score_range)
        yield from self._names.warnings(known)

    def warnings(self, *, known: Collection[str] = (), score_range: float | None = None) -> Iterator[str]:
        """Yield a sentence for each thing found.

        Args:
            known: The names of models that are right, if any are known.
            score_range: The range of the scores that a router learnt from, highest less lowest.
        """
        yield from self.mistakes(known=known, score_range=score_range)
        if self._empty:
            yield f"no model has a score in {self._empty.rows}"
        yield from self._repeats.warnings()
