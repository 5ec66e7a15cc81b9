"""Spans of OpenTelemetry: submit, embed, route, dispatch and call. Off, they cost a comparison.

They are on where the extra `otel` is installed and the environment names a collector
(`OTEL_EXPORTER_OTLP_ENDPOINT`). A chunk carries the context from stage to stage in the store, beside its row
of the outbox, and not in its message: which chunk a worker claims is a matter of turns. Attributes are ids,
counts, names and codes, never content.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span, Tracer

    from tasks.settings import ModelSettings
    from tasks.store.values import HeldRequest, Settlement

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TRACEPARENT = "traceparent"

_tracer: Tracer | None = None
_provider: TracerProvider | None = None


def is_on() -> bool:
    """Return whether this process makes spans."""
    return _tracer is not None


def start_tracing(process: str, *, environment: Mapping[str, str] = os.environ) -> None:
    """Make spans from now on, if the environment names a collector and the extra `otel` is installed."""
    if not any(environment.get(name) for name in _ENDPOINTS) or is_on():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        logger.warning("no traces: %s is not installed", error.name)
        return
    try:
        use_processor(BatchSpanProcessor(OTLPSpanExporter()), process)
    except Exception as error:  # a wrong variable `OTEL_…` must not end a worker
        logger.warning("no traces: %s", type(error).__name__)


def use_processor(processor: SpanProcessor, process: str) -> None:
    """Make spans from now on, and give them to this processor."""
    global _tracer, _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from tasks.monitoring.semantic_conventions import SCHEMA_URL

    resource = Resource.create({"service.name": "waybill", "service.instance.id": process})
    _provider = TracerProvider(resource=resource)
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("waybill", schema_url=SCHEMA_URL)


def stop_tracing() -> None:
    """Send the spans that are left, and make no more."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


@contextmanager
def span(name: str, *, parent: str | None = None, **attributes: Any) -> Iterator[None]:
    """Make a span of the block, below `parent` or the span at work, with attributes `waybill.…`."""
    if _tracer is None:
        yield
        return
    known = {f"waybill.{key}": value for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name,
        context=_context(parent),
        attributes=known,
        # An exception's text may hold anything: only its class is recorded.
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield
        except BaseException as error:
            _fail(made, type(error).__name__)
            raise


def current() -> str | None:
    """Return the context of the span at work, as W3C's Trace Context; None where there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(_TRACEPARENT)


class CallSpan:
    """The span of a call to a provider, by the conventions for generative AI."""

    def __init__(self, model: ModelSettings, request: HeldRequest, *, parent: str | None) -> None:
        self._span: Span | None = None
        if _tracer is None:
            return
        from opentelemetry.trace import SpanKind

        from tasks.monitoring.semantic_conventions import operation_name, provider_name

        operation = operation_name(request.endpoint)
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider_name(model.litellm),
            "gen_ai.request.model": model.name,
            "waybill.batch": request.batch_no,
            "waybill.chunk": request.chunk_id,
        }
        name = f"{operation} {model.name}"
        self._span = _tracer.start_span(
            name, context=_context(parent), kind=SpanKind.CLIENT, attributes=attributes
        )

    def end(self, settlement: Settlement | None) -> None:
        """End the span with what became of the call; None: it could not be settled."""
        if self._span is None:
            return
        if settlement is None:
            _fail(self._span, "not_settled")
        else:
            for kind, tokens in (
                ("input", settlement.prompt_tokens),
                ("output", settlement.completion_tokens),
            ):
                if tokens is not None:
                    self._span.set_attribute(f"gen_ai.usage.{kind}_tokens", tokens)
            if settlement.error_code:
                _fail(self._span, settlement.error_code)
        self._span.end()


def _fail(made: Span, kind: str) -> None:
    from opentelemetry.trace import StatusCode

    made.set_attribute("error.type", kind)
    made.set_status(StatusCode.ERROR)


def _context(parent: str | None) -> Any:
    """Return the context that `current` returned elsewhere; None: that of the span at work."""
    if parent is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({_TRACEPARENT: parent})
