from typing import Any

import pytest

from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.dialect import Event, Speech
from ailb.exchange import Reply, batches_of
from ailb.testing import answers, ask
from ailb.usage import Usage
from middleware.idempotency_answer import Recording, replay
from providers.anthropic_native import MessagesEvent
from providers.ollama_native import OllamaEvent

SPEECHES = {"chat": Chat(), "messages": Messages(), "ollama": OllamaChat()}
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}], "model": "m"}
SAID = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": "Hi"}, "done": True}


async def all_of(reply: Reply) -> list[Event]:
    return [event async for batch in reply for event in batch]


async def twice(events: list[Event], most: int = 10_000) -> tuple[list[Event], list[Event]]:
    """What passed the first time and what is told the second time."""
    reply = Reply(batches_of(events))
    recording = Recording(reply, most)
    first = await all_of(reply)
    stored = recording.dump()
    assert stored is not None
    return first, await all_of(replay(stored))


def spoken(speech: Speech, events: list[Event], *, stream: bool) -> bytes:
    """What a client of that speech gets."""
    prompt = speech.prompt({**ASKED, "stream": stream}, {})
    prompt.received = 1_700_000_000
    if not stream:
        return speech.whole(prompt, events[0])
    encoder = speech.encoder(prompt)
    return b"".join(encoder.feed(event) for event in events) + encoder.end()


@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
@pytest.mark.parametrize("stream", [False, True])
async def test_every_client_gets_a_chat_providers_answer_as_before(speech: Speech, stream: bool) -> None:
    reply = await answers("Hi", " thére", usage=Usage(9, 3, 2, reasoning=1))(ask(stream=stream))
    first, again = await twice(await all_of(reply))
    assert spoken(speech, first, stream=stream) == spoken(speech, again, stream=stream)


@pytest.mark.parametrize(
    ("speech", "event"),
    [
        (Messages(), MessagesEvent.chunk({**MESSAGE, "type": "message_start"}, name=b"message_start")),
        (OllamaChat(), OllamaEvent.chunk(SAID)),
    ],
)
async def test_a_native_stream_keeps_its_bytes(speech: Speech, event: Event) -> None:
    first, again = await twice([event])
    assert (type(event), event.raw, event.data, event.text) == (type(again[0]), again[0].raw, again[0].data, again[0].text)
    assert spoken(speech, first, stream=True) == spoken(speech, again, stream=True)


@pytest.mark.parametrize(("speech", "event"), [(Messages(), MessagesEvent.whole(MESSAGE)), (OllamaChat(), OllamaEvent.whole(SAID))])
async def test_a_native_whole_answer_keeps_its_bytes(speech: Speech, event: Event) -> None:
    first, again = await twice([event])
    assert ("Hi", event.raw) == (again[0].text, spoken(speech, again, stream=False))
    assert spoken(speech, first, stream=False) == spoken(speech, again, stream=False)


async def test_any_bytes_and_a_dialect_that_nobody_speaks_any_more_are_kept() -> None:
    odd = type("OddEvent", (Event,), {"__slots__": (), "dialect": "odd"})
    _, again = await twice([odd(b"\xff\n\x00{", Usage(1, 2), hidden=True), Event(b"")])
    assert [("odd", b"\xff\n\x00{", Usage(1, 2), True), ("chat", b"", None, False)] == [
        (event.dialect, event.raw, event.usage, event.hidden) for event in again
    ]
    del odd


async def test_status_and_headers_are_kept() -> None:
    recording = Recording(Reply(batches_of([]), status=202, headers={"x-a": "b"}), 0)
    reply = replay(recording.dump() or b"")
    assert (202, {"x-a": "b"}) == (reply.status, reply.headers)


@pytest.mark.parametrize(("most", "kept"), [(6, True), (5, False), (0, False)])
async def test_no_more_is_kept_than_may_be(most: int, kept: bool) -> None:
    reply = Reply(batches_of([Event(b"abc"), Event(b"def")]))
    recording = Recording(reply, most)
    assert 2 == len(await all_of(reply))
    assert kept is (recording.dump() is not None)
