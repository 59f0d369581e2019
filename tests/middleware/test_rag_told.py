from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ailb.chat import Chunks, completion
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.dialect import Event, Speech
from ailb.exchange import Exchange, Outcome
from ailb.retrieval import Passage
from ailb.testing import ask
from ailb.usage import Usage
from middleware.rag_told import UNKNOWN_HEADER, Told
from providers.anthropic_native import MessagesEvent
from providers.ollama_native import OllamaEvent

SOURCES = [Passage("c1", "d1", "t", title="A", source="https://a.example"), Passage("c2", "d2", "t", source="b.txt")]
CHUNKS = Chunks("c", "m", 7, wants_usage=True)


def url(start: int) -> dict[str, Any]:
    citation = {"start_index": start, "end_index": start + 3, "url": "https://a.example", "title": "A"}
    return {"type": "url_citation", "url_citation": citation}


def file(index: int) -> dict[str, Any]:
    return {"type": "file_citation", "file_id": "d2", "filename": "b.txt", "index": index}


def whole(text: Any, **message: Any) -> Event:
    return completion("c", "m", 7, {"content": text, **message}, finish="stop", usage=Usage(1, 2))


def settled(told: Told, exchange: Exchange) -> Any:
    told.settle(Outcome("complete", 200, 0.0))
    return exchange.notes.get("rag_unknown")


def test_a_whole_answer_is_annotated() -> None:
    exchange = ask()
    told = Told(exchange, SOURCES)
    event = told.whole(given := whole("x [1][2] [7], [9]"))
    assert {**given.data["choices"][0]["message"], "annotations": [url(2), file(5)]} == event.data["choices"][0]["message"]
    assert (Usage(1, 2), {UNKNOWN_HEADER: "7, 9"}, [7, 9]) == (event.usage, exchange.reply_headers, settled(told, exchange))
    assert orjson.loads(event.raw) == event.data
    parsed = ChatCompletion.model_validate_json(Told(ask(), SOURCES).whole(whole("x [1]")).raw).choices[0].message.annotations
    assert parsed is not None
    assert ("https://a.example", 2, 5) == (parsed[0].url_citation.url, parsed[0].url_citation.start_index, parsed[0].url_citation.end_index)


def test_an_upstreams_own_annotations_stay_in_front() -> None:
    event = Told(ask(), SOURCES).whole(whole("[1]", annotations=[{"type": "theirs"}]))
    assert [{"type": "theirs"}, url(0)] == event.data["choices"][0]["message"]["annotations"]


@pytest.mark.parametrize(
    "event", [whole("nothing"), whole(None), whole([{"type": "text", "text": "[1]"}]), Event.whole({"choices": None}), whole("[3]")]
)
def test_an_answer_that_cites_no_source_keeps_its_bytes(event: Event) -> None:
    assert event is Told(ask(), SOURCES).whole(event)


def test_each_choice_has_its_own() -> None:
    choices = [{"index": 1, "message": {"content": "[2]"}}, {"message": {"content": "[1]"}}, "odd", {"index": 2, "message": None}]
    event = Told(ask(n=3), SOURCES).whole(Event.whole({"choices": choices}))
    told = [choice["message"].get("annotations") for choice in event.data["choices"][:2]]
    assert ([[file(0)], [url(0)]], choices[2:]) == (told, event.data["choices"][2:])


def test_a_stream_is_told_before_its_last_chunk_and_keeps_its_bytes() -> None:
    exchange = ask(stream=True)
    told = Told(exchange, SOURCES)
    given = [
        CHUNKS.delta({"role": "assistant", "content": ""}),
        *(CHUNKS.delta({"content": text}) for text in ("x [", "1", "], [2, 8", "]")),
    ]
    end = [CHUNKS.delta({}, "stop"), CHUNKS.usage(Usage(1, 2))]
    out = [event for batch in (given[:2], given[2:4], [*given[4:], *end]) for event in told.batch(batch)]
    assert [*given, *end] == [*out[:5], *out[6:]]
    assert [url(2), file(7)] == out[5].data["choices"][0]["delta"]["annotations"]
    assert {"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "usage": None} == {
        name: value for name, value in out[5].data.items() if name != "choices"
    }
    assert ({}, [8]) == (exchange.reply_headers, settled(told, exchange))
    parsed = ChatCompletionChunk.model_validate_json(out[5].raw.removeprefix(b"data: "))
    assert (None, [url(2), file(7)]) == (parsed.choices[0].finish_reason, (parsed.choices[0].delta.model_extra or {})["annotations"])


def test_a_last_chunk_may_say_something_too_and_come_twice() -> None:
    told = Told(ask(stream=True), SOURCES)
    last = CHUNKS.delta({"content": "[1]"}, "stop")
    assert [url(0)] == told.batch([last])[0].data["choices"][0]["delta"]["annotations"]
    assert [last] == told.batch([last])


def test_a_chunk_of_ours_says_nothing_twice() -> None:
    said = {"id": "c", "model": "m", "usage": {"prompt_tokens": 5}, "x_groq": {"usage": {}}, "system_fingerprint": "fp"}
    last = Event.chunk({**said, "choices": [{"index": 0, "delta": {"content": "[1]"}, "finish_reason": "stop"}]})
    (extra, _) = Told(ask(stream=True), SOURCES).batch([last])
    assert {"id": "c", "model": "m", "usage": None, "system_fingerprint": "fp"} == {
        name: value for name, value in extra.data.items() if name != "choices"
    }


def test_choices_of_a_stream_end_each_for_itself() -> None:
    told = Told(ask(stream=True, n=3), SOURCES)

    def chunk(*choices: tuple[int, str, str | None]) -> Event:
        made = [{"index": index, "delta": {"content": text}, "finish_reason": finish} for index, text, finish in choices]
        return Event.chunk({"choices": [*made, "odd"]})

    assert [0, 1, 0] == [
        len(told.batch([chunk(*said)])) - 1 for said in ([(0, "[1", None)], [(0, "]", "stop"), (1, "[", None)], [(2, "", "stop")])
    ]
    (extra, _) = told.batch([chunk((1, "2]", "stop"))])
    assert [(1, [file(0)])] == [(choice["index"], choice["delta"]["annotations"]) for choice in extra.data["choices"]]


def test_a_stream_that_broke_is_flagged_as_far_as_it_went() -> None:
    exchange = ask(stream=True)
    told = Told(exchange, SOURCES)
    assert 1 == len(told.batch([CHUNKS.delta({"content": "[1] [5]"})]))
    assert [5] == settled(told, exchange)


def test_citations_of_two_choices_are_not_put_together() -> None:
    exchange = ask(n=2)
    told = Told(exchange, SOURCES)
    told.whole(Event.whole({"choices": [{"index": 0, "message": {"content": "[5"}}, {"index": 1, "message": {"content": "]"}}]}))
    assert None is settled(told, exchange)


NATIVE = [
    MessagesEvent.whole({"type": "message", "content": [{"type": "text", "text": "[1] [7]"}]}),
    OllamaEvent.whole({"message": {"role": "assistant", "content": "[1] [7]"}, "done": True}),
]


@pytest.mark.parametrize("event", NATIVE, ids=["messages", "ollama"])
def test_answers_of_other_dialects_keep_their_bytes_and_are_flagged(event: Event) -> None:
    exchange = ask()
    told = Told(exchange, SOURCES)
    assert event is told.whole(event)
    assert ({UNKNOWN_HEADER: "7"}, [7]) == (exchange.reply_headers, settled(told, exchange))


def test_streams_of_other_dialects_keep_their_events_and_are_flagged() -> None:
    exchange = ask(stream=True)
    told = Told(exchange, SOURCES)
    pieces = ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in ("[1] [", "7]"))
    events: list[Event] = [*(MessagesEvent.chunk(piece) for piece in pieces), MessagesEvent.chunk({"type": "message_stop"})]
    assert events == told.batch(events)
    assert ({}, [7]) == (exchange.reply_headers, settled(told, exchange))


@pytest.mark.parametrize("speech", [Messages(), OllamaChat()])
def test_a_client_of_another_dialect_gets_no_chunk_that_it_could_not_read(speech: Speech) -> None:
    exchange = Exchange(speech.prompt({"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "x"}]}, {}))
    told = Told(exchange, SOURCES)
    events = [CHUNKS.delta({"content": "[1] [7]"}), CHUNKS.delta({}, "stop")]
    assert (events, [7]) == (told.batch(events), settled(told, exchange))
    event = whole("[1]")
    assert event is Told(exchange, SOURCES).whole(event)
