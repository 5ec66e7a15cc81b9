"""The metrics that processes count: calls, tokens, bills, waits and recoveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.monitoring import calls
from tasks.monitoring.counters import SUM, parts_of
from tasks.monitoring.semantic_conventions import DURATION_BUCKETS, TOKEN_BUCKETS
from tasks.upkeep.recoveries import KINDS, RECOVERIES

Labels = tuple[str, ...]
_GEN_AI = ("gen_ai_request_model", "gen_ai_provider_name", "gen_ai_operation_name")


def metrics(counters: Mapping[str, float]) -> Iterator[Metric]:
    """Return the metrics of the sums of all processes."""
    by_name: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
    for key, value in counters.items():
        name, *labels = parts_of(key)
        by_name[name][tuple(labels)] = value
    yield _counter("waybill_calls", "Calls that ended, by model and result.", ("model", "result"),
                   by_name[calls.CALLS])  # fmt: skip
    yield _counter("waybill_unpriced_calls", "Calls whose cost their provider did not tell: charged in full.",
                   ("model",), by_name[calls.UNBILLED])  # fmt: skip
    cost = {labels: value / MICROS_PER_DOLLAR for labels, value in by_name[calls.CALL_COST].items()}
    yield _counter("waybill_call_cost_usd", "What calls cost by their usage, in dollars.", ("model",), cost)
    yield _counter("waybill_tokens", "Tokens by kind, as they are priced.", ("model", "kind"),
                   by_name[calls.TOKEN_KINDS])  # fmt: skip
    recovered = {(kind,): 0.0 for kind in KINDS} | by_name[RECOVERIES]
    yield _counter("waybill_recoveries", "Chunks taken back or announced again.", ("kind",), recovered)
    yield _histogram("waybill_queue_wait_seconds", "How long chunks waited until a worker began.",
                     ("queue",), by_name[calls.QUEUE_WAIT], calls.WAIT_BUCKETS)  # fmt: skip
    yield _histogram("gen_ai_client_operation_duration_seconds", "Duration of calls (OpenTelemetry GenAI).",
                     (*_GEN_AI, "error_type"), by_name[calls.CALL_SECONDS], DURATION_BUCKETS)  # fmt: skip
    yield _histogram("gen_ai_client_token_usage", "Tokens of calls (OpenTelemetry GenAI).",
                     (*_GEN_AI, "gen_ai_token_type"), by_name[calls.TOKENS], TOKEN_BUCKETS)  # fmt: skip


def _go(bound: str) -> str:
    """Return a bucket's end as Prometheus writes it."""
    text: str = floatToGoString(float(bound))  # type: ignore[no-untyped-call]
    return text


def _counter(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def _histogram(
    name: str, text: str, labels: Labels, values: Mapping[Labels, float], buckets: Sequence[float]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for key in sorted({labelled[:-1] for labelled in values}):
        total, cumulative = 0.0, []
        for bound in (*map(str, buckets), "+Inf"):
            total += values.get((*key, bound), 0)
            cumulative.append((_go(bound), total))
        family.add_metric(list(key), cumulative, sum_value=values.get((*key, SUM), 0))
    return family
