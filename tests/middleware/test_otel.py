import sys
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ailb.errors import BadRequest, ConfigError, UpstreamRefusal
from ailb.exchange import Attempt, Exchange, Reply
from ailb.options import construct
from ailb.stack import Innermost, Next
from ailb.testing import TARGET, StillClock, answers, ask, refuses, run
from ailb.usage import Usage
from middleware.otel import Otel

NOW = 1_700_000_000.0
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Upstreams:
    """Asks one provider after the other, as routing does. Keeps what each was sent."""

    def __init__(self, *failures: UpstreamRefusal | None) -> None:
        self.failures = list(failures)
        self.sent: list[str] = []
        self._innermost = Innermost({"fake": self._answer})

    async def _answer(self, exchange: Exchange, attempt: Attempt) -> Reply:
        self.sent.append((attempt.headers or {})["traceparent"])
        failure = self.failures.pop(0)
        if failure is not None:
            raise failure
        return await answers("It ", "is secret.", usage=Usage(7, 5, cached=2))(exchange)

    async def __call__(self, exchange: Exchange) -> Reply:
        exchange.target = TARGET
        while True:
            try:
                return await self._innermost(exchange)
            except UpstreamRefusal:
                if not self.failures:
                    raise


async def spans(exchange: Exchange, innermost: Next, **options: Any) -> Sequence[ReadableSpan]:
    """All that was exported, the exchange's last."""
    exporter = InMemorySpanExporter()
    async with Otel(StillClock(NOW), exporter, **options) as layer:
        await run(layer, exchange, innermost)
    return exporter.get_finished_spans()


async def test_an_exchange_is_a_span_and_each_attempt_one_below_it() -> None:
    upstreams = Upstreams(UpstreamRefusal(429, "you asked: secret", code="slow"), None)
    one, two, whole = await spans(ask("My secret", headers={"traceparent": PARENT}), upstreams)
    assert ("chat fake-model", SpanKind.SERVER, SpanKind.CLIENT, SpanKind.CLIENT) == (whole.name, whole.kind, one.kind, two.kind)
    assert whole.parent is not None
    assert ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331") == (f"{whole.parent.trace_id:032x}", f"{whole.parent.span_id:016x}")
    for attempt, sent in zip((one, two), upstreams.sent, strict=True):
        assert attempt.parent is not None
        assert whole.context.span_id == attempt.parent.span_id
        assert f"00-{whole.context.trace_id:032x}-{attempt.context.span_id:016x}-01" == sent
    assert (StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET) == tuple(span.status.status_code for span in (one, two, whole))


async def test_it_tells_models_tokens_and_no_prompt() -> None:
    attempt, whole = await spans(ask("My secret", model="smart"), Upstreams(None), service_name="gate")
    told = {**(whole.attributes or {})}
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fake",
        "gen_ai.request.model": "smart",
        "gen_ai.response.model": "fake-model",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "http.response.status_code": 200,
        "ailb.request.id": "req_test",
    }
    assert expected == {name: told[name] for name in expected}
    assert "fake-model" == (attempt.attributes or {})["gen_ai.request.model"]
    assert "gate" == whole.resource.attributes["service.name"]
    assert "secret" not in whole.to_json() + attempt.to_json()


async def test_times_are_as_they_were() -> None:
    exchange = ask()
    exchange.started -= 2.0
    attempt, whole = await spans(exchange, Upstreams(None))
    for span in (attempt, whole):
        assert span.start_time is not None
        assert span.end_time is not None
    began, asked = whole.start_time or 0, attempt.start_time or 0
    assert (NOW - 3) * 1e9 < began < asked <= NOW * 1e9
    assert asked - began >= 2e9


async def test_a_refusal_is_named_without_its_words() -> None:
    (whole,) = await spans(ask(), refuses(BadRequest("secret", code="odd")))
    attributes = whole.attributes or {}
    assert ("odd", 400, StatusCode.UNSET) == (
        attributes["error.type"],
        attributes["http.response.status_code"],
        whole.status.status_code,
    )
    attempt, whole = await spans(ask(), Upstreams(UpstreamRefusal(503, "secret", code="secret")))
    assert ("503", "503") == ((whole.attributes or {})["error.type"], (attempt.attributes or {})["error.type"])
    assert StatusCode.ERROR == whole.status.status_code
    assert "secret" not in whole.to_json() + attempt.to_json()


async def test_who_does_not_want_to_be_seen_is_not_but_the_upstream_is_told_so() -> None:
    upstreams = Upstreams(None)
    assert () == await spans(ask(headers={"traceparent": PARENT[:-2] + "00"}), upstreams)
    assert upstreams.sent[0].endswith("-00")


async def test_what_is_only_explained_has_no_span() -> None:
    exchange = ask()
    exchange.dry = True
    assert () == await spans(exchange, answers("x"))


async def test_without_the_package_it_says_what_to_install() -> None:
    loaded = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(("opentelemetry", "middleware.otel_spans"))}
    sys.modules["opentelemetry"] = None  # type: ignore[assignment] # how an import is made to fail
    try:
        with pytest.raises(ConfigError, match=r"install ailb\[otel\]"):
            Otel(StillClock())
    finally:
        del sys.modules["opentelemetry"]
        sys.modules.update(loaded)


def test_its_options_are_checked_and_its_headers_hidden() -> None:
    from ailb.clock import Clock

    services: dict[type, Any] = {Clock: StillClock()}
    made = construct(Otel, "x", {"headers": {"authorization": "Basic secret"}, "endpoint": "https://otel.example.com/v1/traces"}, services)
    assert "secret" not in repr(vars(made))
    with pytest.raises(ConfigError, match="endpoint must be a URL"):
        construct(Otel, "x", {"endpoint": "localhost:4318"}, services)
    with pytest.raises(ConfigError, match="headers"):
        construct(Otel, "x", {"headers": {"a": 5}}, services)
