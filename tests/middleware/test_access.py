from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.errors import BadRequest
from ailb.exchange import Exchange, Outcome
from ailb.keys import Key
from ailb.testing import answers, ask, refuses, run
from ailb.usage import Usage
from middleware.access import Access


class Counting:
    """A meter."""

    def __init__(self) -> None:
        self.seen: list[tuple[Exchange, Outcome]] = []

    def request(self, exchange: Exchange, outcome: Outcome) -> None:
        self.seen.append((exchange, outcome))

    def shadow(self, model: str, outcome: Outcome) -> None:
        raise AssertionError("this layer makes no copies")


async def line_of(exchange: Exchange, innermost: Any) -> tuple[dict[str, Any], Counting]:
    meter = Counting()
    with capture_logs() as lines:
        await run(Access(meter), exchange, innermost)
    (line,) = lines
    return dict(line), meter


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_is_one_line_and_one_count(stream: bool) -> None:
    exchange = ask(stream=stream, model="asked")
    exchange.caller.user, exchange.caller.key = "ann", Key("key-1", "ann")
    exchange.notes["resent"] = True
    line, meter = await line_of(exchange, answers("Hi", usage=Usage(7, 5, 2)))
    assert {
        "event": "request",
        "log_level": "info",
        "id": "req_test",
        "path": "/v1/chat/completions",
        "caller": "ann",
        "key": "key-1",
        "asked": "asked",
        "model": "fake-model",
        "provider": "fake",
        "stream": stream,
        "outcome": "complete",
        "status": 200,
        "error": None,
        "attempts": 0,
        "latency_ms": 0.0,
        "first_event_ms": None,
        "input_tokens": 7,
        "output_tokens": 5,
        "cached_tokens": 2,
        "cost_usd": None,
        "resent": True,
    } == line
    assert [exchange] == [seen for seen, _ in meter.seen]


async def test_a_refusal_is_on_the_line() -> None:
    line, meter = await line_of(ask(), refuses(BadRequest("n is odd", param="n")))
    expected = {"outcome": "refused", "status": 400, "error": "n is odd", "model": None, "provider": None, "input_tokens": None}
    assert expected == {name: line[name] for name in expected}
    assert len(meter.seen) == 1


async def test_neither_the_prompt_nor_a_header_is_on_the_line() -> None:
    exchange = ask("canary in the prompt", headers={"authorization": "Bearer canary"}, user="canary")
    line, _ = await line_of(exchange, answers("canary in the answer"))
    assert "canary" not in str(line)


@pytest.mark.parametrize(("nanos", "dollars"), [(0, 0.0), (1, 1e-09), (2_500_000_001, 2.500000001)])
async def test_what_it_cost_is_on_the_line(nanos: int, dollars: float) -> None:
    exchange = ask()
    exchange.cost = nanos
    line, _ = await line_of(exchange, answers("Hi"))
    assert dollars == line["cost_usd"]


async def test_what_is_only_explained_is_not_in_the_log_and_not_counted() -> None:
    exchange, meter = ask(), Counting()
    exchange.dry = True
    with capture_logs() as lines:
        result = await run(Access(meter), exchange, answers("Hi"))
    assert ("Hi", [], []) == (result.text, lines, meter.seen)
