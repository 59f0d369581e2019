import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.aside import Aside
from ailb.clients.messages_prompt import MessagesPrompt
from ailb.errors import BadRequest, UpstreamRefusal
from ailb.exchange import Attempt, Exchange, Outcome, Reply
from ailb.models import Models
from ailb.stack import Next
from ailb.testing import TARGET, Result, answers, ask, refuses, run
from ailb.usage import Usage
from middleware.shadow import Shadow


class Counting:
    """A meter."""

    def __init__(self) -> None:
        self.shadows: list[tuple[str, str]] = []

    def request(self, exchange: Exchange, outcome: Outcome) -> None:
        raise AssertionError("a copy is no request")

    def shadow(self, model: str, outcome: Outcome) -> None:
        self.shadows.append((model, outcome.status))


class House:
    """A shadow in front of one who answers, and those who are asked aside."""

    def __init__(self, aside: Next | None = None, **options: Any) -> None:
        self.copies: list[Exchange] = []
        self.meter = Counting()
        self._inner = aside or answers("Other", usage=Usage(7, 5))
        self.layer = Shadow(Aside(self._ask), self.meter, Models({}, default="m"), **{"model": ["m"], "to": "new", **options})

    async def _ask(self, exchange: Exchange) -> Reply:
        self.copies.append(exchange)
        return await self._inner(exchange)

    async def serve(self, exchange: Exchange | None = None, innermost: Next | None = None, **options: Any) -> Result:
        async def answered(exchange: Exchange) -> Reply:
            reply = await answers("One", usage=Usage(3, 2))(exchange)
            exchange.answered = Attempt(TARGET, exchange.prompt, 0.0)
            return reply

        return await run(self.layer, exchange or asked(), innermost or answered, **options)

    async def settled(self) -> list[Any]:
        """The log's lines, when all copies are done."""
        with capture_logs() as lines:
            await asyncio.gather(*self.layer._copies)
        return lines


def asked(text: str = "Hello", **body: Any) -> Exchange:
    return ask(text, **{"model": "m", **body})


@pytest.mark.parametrize("stream", [True, False])
async def test_another_model_is_asked_the_same_and_the_client_hears_nothing_of_it(stream: bool) -> None:
    house = House()
    result = await house.serve(asked("What?", stream=stream, temperature=0.5, session_id="s", rag_collection="docs"))
    lines = await house.settled()
    assert ("One", "new") == (result.text, result.exchange.notes["shadowed"])
    (copy,) = house.copies
    assert ("shadow", None, "req_test-shadow", "new", stream) == (
        copy.caller.user,
        copy.caller.key,
        copy.id,
        copy.prompt.model,
        copy.prompt.stream,
    )
    assert (None, None) == (copy.prompt.session_id, copy.prompt.rag_collection)
    assert [{"role": "user", "content": "What?"}] == copy.prompt.body["messages"]
    assert 0.5 == copy.prompt.body["temperature"]
    assert "m" == result.exchange.prompt.body["model"]
    assert [("new", "complete")] == house.meter.shadows
    (line,) = lines
    assert ("shadow", "req_test", "new", "complete", 5) == tuple(line[n] for n in ("event", "id", "model", "outcome", "output_tokens"))


async def test_a_client_of_another_dialect_is_copied_as_a_chat() -> None:
    house = House()
    exchange = asked()
    exchange.prompt = MessagesPrompt(
        {"model": "m", "max_tokens": 9, "system": "Be kind.", "messages": [{"role": "user", "content": "Hi"}]}, {}
    )
    await house.serve(exchange)
    await house.settled()
    (copy,) = house.copies
    assert ["system", "user"] == [message["role"] for message in copy.prompt.body["messages"]]


async def test_what_has_no_form_as_a_chat_is_not_copied() -> None:
    house = House()
    exchange = asked()
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    exchange.prompt = MessagesPrompt({"model": "m", "max_tokens": 9, "tools": tools, "messages": [{"role": "user", "content": "Hi"}]}, {})
    with capture_logs() as lines:
        result = await house.serve(exchange)
    assert ([], set(), []) == (house.copies, house.layer._copies, lines)
    assert "shadowed" not in result.exchange.notes


@pytest.mark.parametrize(
    ("options", "asks", "copied"),
    [
        ({}, "m", True),
        ({}, "", True),
        ({}, "other", False),
        ({"model": ["gpt-*", "x"]}, "gpt-4", True),
        ({"model": ["gpt-*", "x"]}, "m", False),
        ({"share": 0.0}, "m", False),
    ],
)
async def test_only_what_it_is_for_is_copied(options: dict[str, Any], asks: str, copied: bool) -> None:
    house = House(**options)
    result = await house.serve(asked(model=asks) if asks else asked(model=None))
    await house.settled()
    assert (copied, copied) == (bool(house.copies), "shadowed" in result.exchange.notes)


async def test_a_share_is_a_share() -> None:
    house = House(share=0.25, most_parallel=10_000)
    for _ in range(2000):
        await house.serve()
    await house.settled()
    assert 500 == pytest.approx(len(house.copies), abs=130)  # seven standard deviations


async def test_what_was_not_answered_is_not_copied() -> None:
    house = House()
    await house.serve(innermost=refuses(BadRequest("no")))
    await house.serve(asked(stream=True), leave_after=1)
    await house.serve(innermost=answers("given again"))  # no attempt was made
    exchange = asked()
    exchange.dry = True
    await house.serve(exchange)
    assert ([], set()) == (house.copies, house.layer._copies)


class Slow:
    """Never answers."""

    def __init__(self) -> None:
        self.cancelled = 0

    def __call__(self, exchange: Exchange) -> Awaitable[Reply]:
        return self._wait()

    async def _wait(self) -> Reply:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError


async def test_no_more_than_so_many_at_a_time_and_none_outlives_the_layer() -> None:
    slow = Slow()
    house = House(slow, most_parallel=2)
    async with house.layer:
        results = [await house.serve() for _ in range(5)]
        assert ["One"] * 5 == [result.text for result in results]
        assert 2 == len(house.layer._copies) == sum("shadowed" in result.exchange.notes for result in results)
        await asyncio.sleep(0)
    assert (2, set()) == (slow.cancelled, house.layer._copies)


async def test_what_goes_wrong_with_a_copy_is_only_told() -> None:
    house = House(refuses(UpstreamRefusal(503, "you asked: secret", code="down")))
    assert "One" == (await house.serve()).text
    (line,) = await house.settled()
    assert ("refused", 503, "server_error") == tuple(line[name] for name in ("outcome", "status", "error"))
    assert [("new", "refused")] == house.meter.shadows
    assert "secret" not in str(line)


async def test_a_bug_in_a_copy_is_told_too() -> None:
    async def wrong(exchange: Exchange) -> Reply:
        raise LookupError("a bug")

    house = House(wrong)
    await house.serve()
    assert ["bug"] == [line["event"] for line in await house.settled()]
    assert [] == house.meter.shadows


async def test_a_long_id_fits_into_the_ledger() -> None:
    house = House()
    exchange = asked()
    exchange.id = "x" * 128
    await house.serve(exchange)
    await house.settled()
    assert "x" * 121 + "-shadow" == house.copies[0].id


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"model": []}, "model"),
        ({"share": 1.5}, "share"),
        ({"share": -0.1}, "share"),
        ({"most_parallel": 0}, "most_parallel"),
        ({"to": "n*"}, "to"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem} must"):
        House(**options)
