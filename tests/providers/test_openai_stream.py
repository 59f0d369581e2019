"""Streams of OpenAI itself: the bytes that are kept, and the ends and errors that there are."""

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from providers.openai_stream import Decoder
from tests.providers.openai_wire import NEEDS_WIRE, Json, asking, decode, dialect, payloads, record, recordings

FIRST = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"first"},"finish_reason":null}]}\n\n'
STOP = b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
DONE = b"data: [DONE]\n\n"


def new(*, wants_usage: bool = False) -> Decoder:
    return Decoder(wants_usage=wants_usage)


@NEEDS_WIRE
@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("record", recordings("sse", provider="openai") + recordings("sse", provider="azure"))
def test_recorded_bytes_are_kept_but_for_what_is_not_the_client_s(record: Json, wants_usage: bool) -> None:
    sse = record["response"]["sse"]
    expected = [re.sub(rb',"obfuscation":"[^"]*"', b"", payload) for payload in payloads(sse)]
    if not wants_usage:
        expected = [re.sub(rb',"usage":null', b"", payload) for payload in expected]
    events = decode(new(wants_usage=wants_usage), sse.encode())
    assert [b"data: " + payload + b"\n\n" for payload in expected] == [event.raw for event in events]
    assert [orjson.loads(payload) for payload in expected] == [event.data for event in events]


def test_the_usage_chunk_is_hidden_from_who_did_not_ask() -> None:
    for wants_usage in (False, True):
        events = decode(new(wants_usage=wants_usage), FIRST + STOP + USAGE + DONE)
        assert [event.hidden for event in events] == [False, False, not wants_usage]
        assert [event.usage and event.usage.total for event in events] == [None, None, 5]


CHOICES = '"choices":[{"index":0,"delta":{"content":%s}}]'


@given(text=st.text(), padding=st.from_regex("[A-Za-z0-9]*", fullmatch=True), spaced=st.booleans(), first=st.booleans())
def test_null_usage_and_padding_go_wherever_they_stand(text: str, padding: str, spaced: bool, first: bool) -> None:
    content = CHOICES % orjson.dumps(text).decode()
    extra = f'"usage":null,"obfuscation":"{padding}"'
    chunk = f"{{{extra},{content}}}" if first else f"{{{content},{extra}}}"
    if spaced:
        chunk = chunk.replace('"usage":null', '"usage" : null').replace('"obfuscation":', '"obfuscation" : ')
    [event] = new().feed(f"data: {chunk}\n\n".encode())
    expected = {"choices": [{"index": 0, "delta": {"content": text}}]}
    assert expected == orjson.loads(event.raw[6:]) == event.data
    assert event.raw.startswith(b"data: {")
    assert event.raw.endswith(b"}\n\n")


@pytest.mark.parametrize("text", [',"usage":null}', '","usage":null', "obfuscation", '","obfuscation":"x"', '\\","obfuscation":"x"}'])
def test_text_that_looks_like_them_stays(text: str) -> None:
    data = {"choices": [{"index": 0, "delta": {"content": text, "obfuscation": "x", "usage": None}}], "usage": None, "obfuscation": "x"}
    [event] = new().feed(b"data: " + orjson.dumps(data) + b"\n\n")
    assert {"choices": data["choices"]} == orjson.loads(event.raw[6:]) == event.data


def test_big_integers_survive_the_slow_way() -> None:
    chunk = b'{"usage": null, "choices": [], "seed": 123456789012345678901234567890}'
    assert new().feed(b"data: " + chunk + b"\n\n")[0].raw == b'data: {"choices":[],"seed":123456789012345678901234567890}\n\n'


def test_an_event_on_several_lines_becomes_one_line() -> None:
    spread = b'data: {"choices":\ndata: [{"index":0,\r\ndata:"delta":{"content":"a"}}]}\n\n'
    [event] = new().feed(spread)
    assert event.raw == b'data: {"choices": [{"index":0, "delta":{"content":"a"}}]}\n\n'


@pytest.mark.parametrize(
    "wire",
    [
        FIRST + STOP + DONE,
        FIRST + STOP,
        FIRST + STOP.strip(),
        FIRST + STOP + DONE + FIRST,
        FIRST + DONE,
        (FIRST + STOP + DONE).replace(b"\n", b"\r\n"),
        b": wait\n\n" + FIRST + b"data:\n\n" + STOP + b"event: done\ndata: [DONE]",
        b'data: {"type":"ping"}\n\n' + FIRST + STOP + DONE,
        b'data: {"choices":[],"error":null}\n\n' + STOP,
    ],
)
def test_these_are_whole(wire: bytes) -> None:
    decoder = new()
    assert decode(decoder, wire)
    assert decoder.done
    assert decoder.error is None


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        (b"", 0),
        (DONE, 0),
        (b": wait\n\n", 0),
        (b"<html><body>502 Bad Gateway</body></html>", 0),
        (b"data: {nonsense\n\n", 0),
        (b"data: 7\n\n", 0),
        (b'data: {"choices":[7]}\n\n', 0),
        (b'data: {"choices":7}\n\n', 0),
        (b'data: {"choices":[{"delta":[1]}]}\n\n', 0),
        (b'data: {"choices":[{"index":[]}]}\n\n', 0),
        (b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', 0),
        (b'data: {"choices":[NaN]}\n\n', 0),
        (b'{"choices":[]}', 0),
        (FIRST, 1),
        (FIRST + b"data: {nonsense\n\n" + STOP + DONE, 1),
        (FIRST + FIRST[:40], 1),
        (FIRST + b"<html>", 1),
        (FIRST + STOP + b"<html>", 2),
        (FIRST + FIRST.replace(b'"index":0', b'"index":1') + STOP, 3),
    ],
)
@given(data=st.data())
def test_these_are_broken(wire: bytes, told: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(wire)))
    decoder = new()
    events = decoder.feed(wire[:cut]) + decoder.feed(wire[cut:])
    assert told == len(events)
    with pytest.raises(UpstreamBroken):
        decoder.end()
    assert not decoder.done


OVERLOADED = {"error": {"message": "no more", "type": "server_error", "param": None, "code": None}}
ERRORS: list[tuple[bytes, int, str]] = [
    (b"data: " + orjson.dumps(OVERLOADED) + b"\n\n" + DONE, 500, "no more"),
    (b'event: error\ndata: {"error":{"message":"bad call","type":"x","code":"tool_use_failed","status_code":400}}\n\n', 400, "bad call"),
    (b'event: error\ndata: {"message":"gone","code":"429"}\n\n', 429, "gone"),
    (b'data: {"id":"x","error":{"code":502,"message":"cut off"},"choices":[{"index":0,"finish_reason":"error"}]}\n\n', 502, "cut off"),
    (b'data: {"object":"error","message":"too long","type":"BadRequestError","code":400}\n\n', 400, "too long"),
    (b'data: {"error":"plain words"}\n\n', 500, "plain words"),
    (b'data: [{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]\n\n', 503, "overloaded"),
    (b'data: {"error":{"message":"slow down","type":"rate_limit_error"}}\n\n', 429, "slow down"),
    (b'{"error":{"message":"raw","code":401}}', 401, "raw"),
    (b'{\n  "error": {\n    "message": "raw",\n    "code": 401\n  }\n}\n', 401, "raw"),
    (b'[{"error":{"message":"raw","code":401}}]', 401, "raw"),
]


@pytest.mark.parametrize("before", [b"", FIRST, FIRST + STOP])
@pytest.mark.parametrize(("wire", "status", "message"), ERRORS)
@pytest.mark.parametrize("provider", ["openai", "openai-compatible"])
def test_errors_inside_a_200_are_refusals(provider: str, before: bytes, wire: bytes, status: int, message: str) -> None:
    failures: list[UpstreamFailure | None] = []
    for cuts in ([], [len(before), len(before) + 9], range(1, len(before + wire))):
        decoder = dialect(provider).decoder(asking(wants_usage=False))
        with pytest.raises(UpstreamRefusal) as refused:
            decode(decoder, before + wire, cuts)
        failures.append(refused.value)
        assert decoder.error is refused.value
        assert not decoder.done
    assert [(status, message)] * 3 == [(failure.status, failure.message) for failure in failures if failure]


def test_what_was_used_until_an_error_is_known() -> None:
    usage = b'"usage":{"prompt_tokens":43,"completion_tokens":10}'
    error = b'data: {"error":{"code":400,"message":"limit"},"choices":[],' + usage + b"}\n\n"
    [_, spent] = new().feed(FIRST + error)
    assert spent.hidden
    assert spent.usage is not None
    assert (spent.usage.input, spent.usage.output) == (43, 10)
    assert new().feed(error) == []


@NEEDS_WIRE
@pytest.mark.parametrize(
    ("name", "status", "message", "told"),
    [
        ("_reported/openai/200-stream-error-chunk.json", 500, "The server experienced an error while processing your request", 1),
        ("openrouter/chat-completions-test-openrouter-stream-error-0-37cef4.json", 400, "Token limit reached", None),
    ],
)
def test_recorded_errors_inside_a_200(name: str, status: int, message: str, told: int | None) -> None:
    recorded = record(name)
    decoder = dialect(recorded["provider"]).decoder(asking(wants_usage=False))
    events = decoder.feed(recorded["response"]["sse"].encode())
    assert isinstance(decoder.error, UpstreamRefusal)
    assert (decoder.error.status, decoder.error.message) == (status, message)
    assert len([event for event in events if not event.hidden]) == told or told is None
    assert [event.usage.total for event in events if event.usage] == ([53] if told is None else [])
