"""What OpenTelemetry's SDK has to do with it: spans out of an exchange, by the semantic conventions for generative AI, and their export.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Final

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

from ailb.errors import Refusal, UpstreamRefusal
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.money import NANO
from middleware.otel_trace import Trace

EXPORT_SECONDS: Final = 5.0
"""How long one batch may take to be sent, all tries together."""

DELAY_MILLIS: Final = 1000
"""How often what there is is sent."""

FLUSH_SECONDS: Final = 0.5
"""How long the end waits for what is not sent yet. The server's end as a whole has a second."""

_NANOS: Final = 1_000_000_000
_SYSTEMS: Final = {"azure": "azure.ai.openai", "gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
"""The conventions' names of providers, where they are not ours."""


class Spans:
    """Opened where it is used: its thread would not survive a fork."""

    def __init__(self, service: str, exporter: Any, endpoint: str, headers: dict[str, str]) -> None:
        self._resource = Resource.create({"service.name": service})
        self._made: SpanExporter | None = exporter
        self._endpoint = endpoint
        self._headers = headers
        self._ids = _Ids()
        self._exporter: SpanExporter | None = None
        self._provider: TracerProvider | None = None
        self._tracer: Tracer = api.NoOpTracer()

    def open(self) -> None:
        exporter = self._exporter = self._made or OTLPSpanExporter(self._endpoint, headers=self._headers, timeout=EXPORT_SECONDS)
        self._provider = TracerProvider(ALWAYS_ON, self._resource, shutdown_on_exit=False, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MILLIS))
        self._tracer = self._provider.get_tracer("ailb")

    async def close(self) -> None:
        """Sends what there is. That blocks, so a thread does it; one that takes too long is left alone, and its exporter gives up."""
        provider, exporter = self._provider, self._exporter
        if provider is None or exporter is None:
            return
        sent, loop = asyncio.Event(), asyncio.get_running_loop()

        def send() -> None:
            provider.shutdown()
            with suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(sent.set)

        Thread(target=send, name="otel", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await sent.wait()
        except TimeoutError:
            exporter.shutdown()

    def tell(self, ids: Trace, exchange: Exchange, outcome: Outcome, began: float) -> None:
        """`began` is the Unix time of the exchange's beginning."""
        parent = _context(ids.id, ids.parent) if ids.parent else None
        with self._ids.given(ids.id, ids.span):
            span = self._tracer.start_span(
                f"chat {exchange.prompt.model}", parent, SpanKind.SERVER, _of_exchange(exchange, outcome), start_time=_nanos(began)
            )
        if outcome.status == "broken" or outcome.http_status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        below = _context(ids.id, ids.span)
        for attempt in exchange.attempts:
            self._attempt(below, attempt, exchange.answered is attempt, outcome, began)
        span.end(_nanos(began + outcome.seconds))

    def _attempt(self, parent: Context, attempt: Attempt, answered: bool, outcome: Outcome, began: float) -> None:
        problem = _problem(attempt, outcome if answered else None)
        attributes = {**_target(attempt), "ailb.attempt": attempt.number}
        if answered:
            attributes |= _usage(outcome)
        if attempt.status is not None:
            attributes["http.response.status_code"] = attempt.status
        if problem:
            attributes["error.type"] = problem
        with self._ids.given(0, _span_of(attempt)):
            span = self._tracer.start_span(
                f"chat {attempt.target.model}", parent, SpanKind.CLIENT, attributes, start_time=_nanos(began + attempt.started)
            )
        if problem and problem not in _NOBODYS_FAULT:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanos(began + (outcome.seconds if attempt.ended is None else attempt.ended)))


_NOBODYS_FAULT: Final = ("abandoned", "disconnected")


class _Ids(RandomIdGenerator):
    """The SDK draws a span's id when it makes the span; ours have long gone to the upstream by then."""

    def __init__(self) -> None:
        self._next = (0, 0)

    @contextmanager
    def given(self, trace: int, span: int) -> Iterator[None]:
        """What is made inside has these ids. Nothing else may run meanwhile: no await."""
        self._next = (trace, span)
        try:
            yield
        finally:
            self._next = (0, 0)

    def generate_trace_id(self) -> int:
        return self._next[0] or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self._next[1] or super().generate_span_id()


def _of_exchange(exchange: Exchange, outcome: Outcome) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": exchange.prompt.model,
        "gen_ai.request.stream": exchange.prompt.stream,
        "http.response.status_code": outcome.http_status,
        "url.path": exchange.path,
        "ailb.request.id": exchange.id,
        **_usage(outcome),
    }
    if exchange.answered is not None:
        attributes |= {name: value for name, value in _target(exchange.answered).items() if name != "gen_ai.request.model"}
    if exchange.cost is not None:
        attributes["ailb.cost.usd"] = exchange.cost / NANO
    if outcome.status != "complete":
        attributes["error.type"] = _word(outcome.refusal) or outcome.status
    return attributes


def _target(attempt: Attempt) -> dict[str, Any]:
    """`gen_ai.system` is what `gen_ai.provider.name` was called before; much of what reads spans knows only that."""
    target = attempt.target
    system = _SYSTEMS.get(target.provider, target.provider)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": system,
        "gen_ai.system": system,
        "gen_ai.request.model": target.model,
        "gen_ai.response.model": target.model,
    }


def _usage(outcome: Outcome) -> dict[str, Any]:
    usage = outcome.usage
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
    }


def _problem(attempt: Attempt, outcome: Outcome | None) -> str:
    """Of an attempt; with the outcome where it was the one that was answered."""
    if attempt.abandoned:
        return "abandoned"
    if attempt.failure is not None:
        return _word(attempt.failure)
    if outcome is None or outcome.status == "complete":
        return ""
    return _word(outcome.refusal) or outcome.status


def _word(refusal: Refusal | None) -> str:
    """An upstream's own words are not ours to pass on: they may quote the prompt."""
    if refusal is None:
        return ""
    return str(refusal.status) if isinstance(refusal, UpstreamRefusal) else str(refusal.code or refusal.type)


def _span_of(attempt: Attempt) -> int:
    """What its upstream was told; 0 where another layer has told it something else."""
    _, _, span, *_ = f"{(attempt.headers or {}).get('traceparent', '')}---0".split("-")
    return int(span or "0", 16)


def _context(trace: int, span: int) -> Context:
    return api.set_span_in_context(NonRecordingSpan(SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))))


def _nanos(seconds: float) -> int:
    return int(seconds * _NANOS)
