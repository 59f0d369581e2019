import asyncio
from collections.abc import Sequence
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ailb.dialect import Target
from ailb.errors import Refusal, UpstreamBroken, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Outcome, Status
from ailb.testing import TARGET, ask
from middleware.otel_spans import FLUSH_SECONDS, Spans
from middleware.otel_trace import Trace

BEGAN = 1_700_000_000.0


def tried(**attempt: object) -> Exchange:
    exchange = ask()
    made = Attempt(TARGET, exchange.prompt, 0.25, headers={"traceparent": Trace(1, 2).child()})
    for name, value in attempt.items():
        setattr(made, name, value)
    exchange.attempts.append(made)
    return exchange


async def told(exchange: Exchange, outcome: Outcome) -> tuple[ReadableSpan, ...]:
    exporter = InMemorySpanExporter()
    spans = Spans("ailb", exporter, "", {})
    spans.open()
    spans.tell(Trace(1, 2), exchange, outcome, BEGAN)
    await spans.close()
    return exporter.get_finished_spans()


@pytest.mark.parametrize(
    ("failure", "abandoned", "error", "code"),
    [
        (UpstreamSilent("x"), False, "upstream_unreachable", StatusCode.ERROR),
        (None, True, "abandoned", StatusCode.UNSET),
        (None, False, None, StatusCode.UNSET),
    ],
)
async def test_what_became_of_an_attempt(failure: Refusal | None, abandoned: bool, error: str | None, code: StatusCode) -> None:
    attempt, _ = await told(tried(failure=failure, abandoned=abandoned, ended=0.5), Outcome("complete", 200, 1.0))
    assert (error, code) == ((attempt.attributes or {}).get("error.type"), attempt.status.status_code)
    assert (int((BEGAN + 0.25) * 1e9), int((BEGAN + 0.5) * 1e9)) == (attempt.start_time, attempt.end_time)


@pytest.mark.parametrize(
    ("status", "refusal", "error", "code"),
    [
        ("broken", UpstreamBroken("cut"), "upstream_broken", StatusCode.ERROR),
        ("disconnected", None, "disconnected", StatusCode.UNSET),
    ],
)
async def test_an_answer_that_did_not_come_to_its_end(status: Status, refusal: Refusal | None, error: str, code: StatusCode) -> None:
    exchange = tried()
    exchange.answered = exchange.attempts[0]
    attempt, whole = await told(exchange, Outcome(status, 200, 1.0, refusal=refusal))
    assert {(error, code)} == {((span.attributes or {})["error.type"], span.status.status_code) for span in (attempt, whole)}


@pytest.mark.parametrize(("provider", "name"), [("mistral", "mistral_ai"), ("groq", "groq"), ("azure", "azure.ai.openai")])
async def test_providers_are_called_as_the_conventions_call_them(provider: str, name: str) -> None:
    attempt, _ = await told(tried(target=Target(provider, "m")), Outcome("complete", 200, 1.0))
    attributes = attempt.attributes or {}
    assert (name, name) == (attributes["gen_ai.provider.name"], attributes["gen_ai.system"])


async def test_what_it_cost_is_told() -> None:
    exchange = tried()
    exchange.cost = 1_500_000
    *_, whole = await told(exchange, Outcome("complete", 200, 1.0))
    assert 0.0015 == (whole.attributes or {})["ailb.cost.usd"]


@pytest.mark.parametrize("headers", [None, {}, {"traceparent": "x"}])
async def test_an_attempt_that_was_told_no_span_gets_one(headers: dict[str, str] | None) -> None:
    attempt, _ = await told(tried(headers=headers), Outcome("complete", 200, 1.0))
    assert attempt.context.span_id


def test_before_it_is_opened_it_tells_nobody() -> None:
    exporter = InMemorySpanExporter()
    Spans("ailb", exporter, "", {}).tell(Trace(1, 2), tried(), Outcome("complete", 200, 1.0), BEGAN)
    assert () == exporter.get_finished_spans()


class Stuck(SpanExporter):
    """A collector that takes the spans and never says a word, until the exporter is shut down."""

    def __init__(self) -> None:
        self.over = Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.over.wait()
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.over.set()


async def test_the_end_does_not_wait_for_a_collector_that_hangs() -> None:
    stuck = Stuck()
    spans = Spans("ailb", stuck, "", {})
    spans.open()
    spans.tell(Trace(1, 2), tried(), Outcome("complete", 200, 1.0), BEGAN)
    async with asyncio.timeout(10 * FLUSH_SECONDS):
        await spans.close()
    assert stuck.over.is_set()


async def test_one_that_was_never_opened_can_be_closed() -> None:
    spans = Spans("ailb", InMemorySpanExporter(), "", {})
    await spans.close()
    assert spans._provider is None
