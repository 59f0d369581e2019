"""A trace of each request for OpenTelemetry: a span of the exchange, and below it one of each attempt."""

from typing import TYPE_CHECKING, Any, Self

from ailb.clock import Clock
from ailb.errors import ConfigError
from ailb.exchange import Attempt, Exchange, Outcome, Reply
from ailb.secret import Secret
from ailb.stack import Next
from middleware.otel_trace import Trace, traced

if TYPE_CHECKING:
    from middleware.otel_spans import Spans


class Otel:
    """`endpoint` is where a collector takes OTLP over HTTP, `headers` go there too. The SDK need not be installed where this is not used.

    Spans are made when all is over, with the times as they were, and sent in the background; what cannot be sent is dropped. Prompts and
    answers are not in them. Each upstream gets a `traceparent`. A client's that says that it is not sampled is believed.
    """

    def __init__(
        self,
        clock: Clock,
        exporter: Any = None,
        *,
        endpoint: str = "http://localhost:4318/v1/traces",
        service_name: str = "ailb",
        headers: dict[str, Secret] | None = None,
    ) -> None:
        """`exporter` is the SDK's, for those who want another one: no type of it may stand here."""
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError("endpoint must be a URL such as http://localhost:4318/v1/traces")
        self._clock = clock
        self._spans = _spans(service_name, exporter, endpoint, {name: value.reveal() for name, value in (headers or {}).items()})

    async def __aenter__(self) -> Self:
        self._spans.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._spans.close()

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        if not exchange.dry:
            trace = traced(exchange.headers.get("traceparent", ""))
            exchange.on_attempt(lambda attempt: _name(trace, attempt))
            if trace.sampled:
                exchange.on_settle(lambda outcome: self._tell(trace, exchange, outcome))
        return await call_next(exchange)

    def _tell(self, trace: Trace, exchange: Exchange, outcome: Outcome) -> None:
        self._spans.tell(trace, exchange, outcome, self._clock.unix() - exchange.elapsed)


def _name(trace: Trace, attempt: Attempt) -> None:
    attempt.headers = {**(attempt.headers or {}), "traceparent": trace.child()}


def _spans(service: str, exporter: Any, endpoint: str, headers: dict[str, str]) -> "Spans":
    """Imported only where it is wanted."""
    try:
        from middleware.otel_spans import Spans
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("opentelemetry"):
            raise
        raise ConfigError('[[layer]] "otel"', f"needs the package {missing.name}: install ailb[otel]") from None
    return Spans(service, exporter, endpoint, headers)
