"""Collection: every candidate answers a sample of prompts, so that judges can compare the answers.

The missing answers become the requests of an ordinary batch, each of which names its model. Budget, retries,
leases and the ledger therefore work as for any batch. An answer that an earlier batch has paid for is reused.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of, stored_prompt
from tasks.errors import UsageError
from tasks.formats.determinism import Dedupe
from tasks.formats.requests import ParsedRequest
from tasks.learning.collection_plan import CategorisedPrompt, Collection, CollectionPlan
from tasks.settings import Settings
from tasks.store import batches, ingestion
from tasks.store.deletion import refuse_without_data
from tasks.store.engine import Store
from tasks.store.learning import samples
from tasks.submission.options import options_for

#: requests that are ingested at a time, within one transaction
_SLICE = 2_000


def from_batch(store: Store, batch_id: str) -> Iterator[CategorisedPrompt]:
    """Yield the prompts of a stored batch with the categories that they were routed in.

    Requests without a text for an answer, such as embeddings, are left out: judges could not compare them.

    Raises:
        UsageError: The batch was not submitted by a user, or its prompts were deleted.
    """
    with store.read() as connection:
        source = batches.find(connection, batch_id)
        if source["purpose"] != batches.ANSWER:
            raise UsageError(f"{batch_id} was not submitted by anybody: nothing to collect from it")
        refuse_without_data(source)
        for row, category in samples.prompts_of_batch(connection, source["no"]):
            endpoint = row["endpoint"] or CHAT_PATH
            if not endpoint_of(endpoint).answers_text:
                continue
            parsed = ParsedRequest(
                row["line"],
                row["custom_id"],
                row["model"],
                row["body"],
                row["messages"],
                stored_prompt(endpoint, row["body"]),
                row["max_tokens"],
                endpoint,
            )
            yield CategorisedPrompt(parsed, category)


def collect(
    store: Store, settings: Settings, planned: CollectionPlan, *, source: str, budget: int | None = None
) -> Collection:
    """Store the plan as a batch of purpose `collect`, in one transaction; workers start on it at once.

    Args:
        source: The name of the prompts' origin, for people.
        budget: The cap on the cost in micro-dollars; None for no cap.

    Raises:
        SettingsError: There are no models, or one without a price.
        UsageError: A model is not in the settings, or a budget is given with a model that has no price.
    """
    # An answer that does not fit is a fact about its model: it is kept and flagged.
    validate = "off" if settings.dispatch.validation == "off" else "flag"
    # Repeats are equal requests: one must not answer for another.
    dedupe: Dedupe | None = "off" if planned.repeat > 1 else None
    options = options_for(settings, models=planned.models, validate=validate, dedupe=dedupe, routes=False)
    batches.check_budget(options, budget)
    missing = list(enumerate(planned.missing, start=1))
    requests = [
        _request(planned.samples[index].parsed, index, model, line) for line, (index, model) in missing
    ]
    with store.write() as connection:
        row = batches.create(
            connection, source=source, options=options, budget=budget, purpose=samples.COLLECT
        )
        for start in range(0, len(requests), _SLICE):
            ingestion.ingest(connection, row["no"], options, requests[start : start + _SLICE])
        samples.add(connection, row["no"], planned.samples, {key: line for line, key in missing})
        ingestion.finish(connection, row["no"])
    return planned.summary(row["id"])


def _request(parsed: ParsedRequest, index: int, model: str, line: int) -> ParsedRequest:
    return parsed._replace(custom_id=f"{index + 1}:{model}", model=model, line=line, left_out=None)
