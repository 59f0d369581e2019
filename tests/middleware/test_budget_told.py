from typing import Any

import orjson
import pytest

from ailb.dialect import Event
from ailb.ledger import Hold, Intent, Standing
from ailb.testing import ask
from ailb.usage import Usage
from middleware.budget_told import LEFT_HEADER, WARNING_HEADER, tell_standings, with_cost
from providers.ollama_native import OllamaEvent

INTENT = Intent("req", 1, "ann", None, "a", "m", "m", None, 1, 1)


def hold(*standings: Standing) -> Hold:
    return Hold("h", INTENT, 0, 0, 1, standings)


@pytest.mark.parametrize(
    ("standings", "left", "warning"),
    [
        ([], None, None),
        ([Standing("b", "key", None, 5, False)], None, None),
        ([Standing("b", "key", 2_500_000_000, None, False), Standing("g", "global", 10**12, None, False)], "2.5", None),
        (
            [Standing("b", "key", 5, None, True), Standing("g", "global", None, 3, True), Standing("k", "key", 9, None, True)],
            "0.000000005",
            "key, global",
        ),
        ([Standing("b", "user", -5, None, True)], "0.0", "user"),
    ],
)
def test_what_is_told_of_the_budgets(standings: list[Standing], left: str | None, warning: str | None) -> None:
    exchange = ask()
    tell_standings(exchange, hold(Standing("x", "model", 1, None, True)))
    tell_standings(exchange, hold(*standings))
    headers = exchange.reply_headers
    assert (left, warning, warning) == (headers.get(LEFT_HEADER), headers.get(WARNING_HEADER), exchange.notes.get("budget_warning"))


def test_a_cost_is_put_into_the_usage_and_nothing_else_changes() -> None:
    data = {"id": "c", "choices": [], "usage": {"prompt_tokens": 5, "cost": "theirs"}, "x": 1.50}
    event = with_cost(Event.chunk(data, Usage(5, 7)), 1_500_000_000)
    assert {**data, "usage": {"prompt_tokens": 5, "cost": 1.5}} == orjson.loads(event.raw.removeprefix(b"data: "))
    assert (Usage(5, 7), True) == (event.usage, event.raw.endswith(b"}\n\n"))


def test_a_cost_is_put_beside_a_number_of_any_size() -> None:
    raw = with_cost(Event.chunk({"choices": [], "usage": {"prompt_tokens": 5}, "x_trace_id": 10**30}, Usage(5, 7)), 1).raw
    assert b'"x_trace_id":1' + b"0" * 30 in raw
    assert b'"cost":1e-09' in raw


@pytest.mark.parametrize(
    "event",
    [
        Event.chunk({"choices": [], "usage": {}}, Usage(1, 1), hidden=True),
        Event.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": None}], "usage": {}}, Usage(1, 1)),
        Event.chunk({"choices": [], "usage": None}),
        OllamaEvent.chunk({"usage": {}}, Usage(1, 1)),
    ],
)
def test_other_events_stay_as_they_are(event: Any) -> None:
    assert event is with_cost(event, 5)
