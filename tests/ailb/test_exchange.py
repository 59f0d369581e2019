from collections.abc import AsyncIterator

from ailb.dialect import Event, Target
from ailb.exchange import Attempt, Caller, Outcome, Reply, batches_of
from ailb.testing import ask


def said(text: str) -> Event:
    return Event.chunk({"choices": [{"index": 0, "delta": {"content": text}}]})


async def told(reply: Reply) -> list[list[str]]:
    return [[event.text for event in batch] async for batch in reply]


async def test_a_reply_passes_batches_on_as_they_came() -> None:
    async def batches() -> AsyncIterator[list[Event]]:
        yield [said("a"), said("b")]
        yield [said("c")]

    assert [["a", "b"], ["c"]] == await told(Reply(batches()))


async def test_whoever_sees_events_sees_them_in_the_order_of_registration() -> None:
    seen: list[str] = []
    reply = Reply(batches_of([said("a")]))

    def inner(event: Event) -> Event:
        seen.append(f"inner {event.text}")
        return said("changed")

    def outer(event: Event) -> Event:
        seen.append(f"outer {event.text}")
        return event

    reply.each(inner)
    reply.each(outer)
    assert [["changed"]] == await told(reply)
    assert ["inner a", "outer changed"] == seen


async def test_an_event_can_be_dropped_and_is_not_seen_further_out() -> None:
    seen: list[str] = []
    reply = Reply(batches_of([said("a"), said("b")]))
    reply.each(lambda event: None if event.text == "a" else event)

    def outer(event: Event) -> Event:
        seen.append(event.text)
        return event

    reply.each(outer)
    assert [[], ["b"]] == await told(reply)
    assert ["b"] == seen


async def test_whoever_sees_batches_may_put_events_between_others() -> None:
    seen: list[str] = []
    reply = Reply(batches_of([said("a"), said("b")]))
    reply.each_batch(lambda events: [said("new"), *events] if events[0].text == "b" else events)

    def outer(event: Event) -> Event:
        seen.append(event.text)
        return event

    reply.each(outer)
    assert [["a"], ["new", "b"]] == await told(reply)
    assert ["a", "new", "b"] == seen


def test_a_reply_is_closed_once() -> None:
    closed: list[int] = []
    reply = Reply(batches_of([]), close=lambda: closed.append(1))
    reply.close()
    reply.close()
    assert [1] == closed
    Reply(batches_of([])).close()


def test_a_reply_is_a_200_without_headers_unless_it_says_otherwise() -> None:
    assert (200, {}) == (Reply(batches_of([])).status, Reply(batches_of([])).headers)
    assert (202, {"a": "b"}) == ((reply := Reply(batches_of([]), status=202, headers={"a": "b"})).status, reply.headers)


def test_an_outcomes_text_is_what_its_events_said() -> None:
    assert Outcome("complete", 200, 0.0, events=[said("a"), said("b")]).text == "ab"


def test_an_attempt_in_short() -> None:
    attempt = Attempt(Target("p", "m"), ask().prompt, 0.0, status=503, error="refused")
    assert {"provider": "p", "model": "m", "error": "refused"} == attempt.summary()


def test_an_exchange_begins_with_nobody_and_nothing() -> None:
    exchange = ask()
    assert Caller("anonymous", None) == exchange.caller
    assert ([], {}, {}, None, False, [], []) == (
        exchange.attempts,
        exchange.reply_headers,
        exchange.notes,
        exchange.target,
        exchange.keep_events,
        exchange.settlers,
        exchange.attempt_hooks,
    )
    assert exchange.elapsed >= 0


def test_hooks_are_kept_in_the_order_of_registration() -> None:
    exchange = ask()
    first, second = (lambda _: None), (lambda _: None)
    exchange.on_settle(first)
    exchange.on_settle(second)
    exchange.on_attempt(second)
    assert ([first, second], [second]) == (exchange.settlers, exchange.attempt_hooks)
