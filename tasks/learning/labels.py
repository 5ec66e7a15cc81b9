"""Labels: labelled prompts from the judgements of judges and people, and the quality of judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from router_core.data.label_checks.checks import LabelChecks
from router_core.data.labelled_prompts import LabelledPrompt
from router_core.judging.dawid_skene import robust_pair_scores
from router_core.judging.judge_assessment import assess_judges
from router_core.judging.judge_quality import QualityReport
from router_core.judging.scores import mean_pair_scores, prompt_scores, with_checks
from router_core.judging.verdicts import HUMAN, Judgement
from tasks.endpoints.registry import stored_prompt
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.learning import answer_checks, labels


def export(
    store: Store, batch_ids: Sequence[str] = (), *, robust: bool = True, checks: bool = False
) -> Iterator[LabelledPrompt]:
    """Yield every judged prompt with the score of each model's answer.

    A score is between 0 and 1; 0.5 is the average answer to that prompt.

    Args:
        batch_ids: The collecting batches. By default all, and the prompts that only people have judged.
        robust: Weigh the judges by their estimated reliability (Dawid-Skene); else average their verdicts.
        checks: Let an answer that fits what its request demands beat every one that does not.

    Raises:
        UnknownBatch: A batch id is not in the store.
    """
    return (prompt for _, prompt in export_with_times(store, batch_ids, robust=robust, checks=checks))


def export_with_times(
    store: Store, batch_ids: Sequence[str] = (), *, robust: bool = True, checks: bool = False
) -> Iterator[tuple[int, LabelledPrompt]]:
    """Yield what `export` does, each prompt with the time at which it was sampled, in ms since 1970."""
    batch_nos = _batch_nos(store, batch_ids)
    with store.read() as connection:
        judgements = labels.judgements(connection, batch_nos)
        values = robust_pair_scores(judgements) if robust else mean_pair_scores(judgements)
        fits = answer_checks.of_samples(connection, batch_nos) if checks else {}
        for row in labels.prompts(connection, batch_nos):
            known = with_checks(values.get(row.key, {}), fits.get(row.key, {}))
            if known:
                yield row.created_at, _labelled(row, prompt_scores(known))


def checked(store: Store, batch_ids: Sequence[str] = ()) -> Iterator[LabelledPrompt]:
    """Yield the prompts whose answers were checked; a model's score is the share of its answers that fit.

    Args:
        batch_ids: The batches, by default all.

    Raises:
        UnknownBatch: A batch id is not in the store.
    """
    batch_nos = _batch_nos(store, batch_ids)
    with store.read() as connection:
        for row in answer_checks.checked_prompts(connection, batch_nos):
            prompt = stored_prompt(row.endpoint, row.body)
            if prompt:
                yield LabelledPrompt(row.custom_id, prompt, row.category, None, row.shares, row.costs)


def _labelled(row: labels.PromptRow, scores: Mapping[str, float]) -> LabelledPrompt:
    return LabelledPrompt(
        id=row.custom_id,
        prompt=row.prompt or stored_prompt(row.endpoint, row.body or ""),
        category=row.category,
        task=None,
        scores=scores,
        costs={model: row.costs[model] for model in scores if model in row.costs} or None,
        tokens={model: row.tokens[model] for model in scores if model in row.tokens} or None,
    )


def row_of(labelled: LabelledPrompt) -> dict[str, Any]:
    """Return the JSON object of a labelled prompt, without the fields that are unknown."""
    row: dict[str, Any] = {"id": labelled.id, "prompt": labelled.prompt, "category": labelled.category}
    row["scores"] = {model: round(score, 6) for model, score in labelled.scores.items()}
    row["costs"] = dict(labelled.costs) if labelled.costs else None
    row["tokens"] = dict(labelled.tokens) if labelled.tokens else None
    return {name: value for name, value in row.items() if value is not None}


def quality(store: Store, settings: Settings, batch_ids: Sequence[str] = ()) -> QualityReport:
    """Return a report on the reliability of each judge; raises UnknownBatch."""
    batch_nos = _batch_nos(store, batch_ids)
    with store.read() as connection:
        judgements = labels.judgements(connection, batch_nos)
        invalid_replies = labels.invalid_replies(connection, batch_nos)
    report = assess_judges(judgements, families=settings.families, invalid_replies=invalid_replies)
    return replace(report, warnings=tuple(_doubtful_models(judgements, settings)))


def _doubtful_models(judgements: Sequence[Judgement], settings: Settings) -> Iterator[str]:
    """Yield a sentence for each model whose name is probably misspelt in people's labels."""
    checks = LabelChecks()
    for one in judgements:
        checks.add_models(one.pair, "judged by people" if one.judge == HUMAN else f"judged by {one.judge}")
    return checks.warnings(known=[model.name for model in settings.models])


def _batch_nos(store: Store, batch_ids: Sequence[str]) -> list[int] | None:
    if not batch_ids:
        return None
    with store.read() as connection:
        return [batches.find(connection, batch_id)["no"] for batch_id in batch_ids]
