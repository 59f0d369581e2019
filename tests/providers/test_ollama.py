"""The dialect as a whole: what goes out, and what comes back through each of its doors."""

import json

import pytest

from ailb.dialect import Target
from ailb.errors import UpstreamBroken
from providers.ollama import Ollama
from tests.providers.ollama_wire import NEEDS_WIRE, Json, line, ndjson, prompt, recordings, told_whole

TARGET = Target("local", "qwen3:4b")


def test_a_chat_completion_goes_to_the_chat_endpoint() -> None:
    outgoing = Ollama().request(prompt(max_tokens=5), TARGET)
    expected = {"model": "qwen3:4b", "messages": [{"role": "user", "content": "hi"}], "stream": False, "options": {"num_predict": 5}}
    assert ("/api/chat", expected, {}) == (outgoing.path, json.loads(outgoing.body), outgoing.headers)


@pytest.mark.parametrize(("given", "stream"), [({}, True), ({"stream": False}, False), ({"stream": True}, True), ({"stream": None}, True)])
def test_a_native_request_keeps_all_but_its_model(given: Json, stream: bool) -> None:
    body = {"options": {"num_ctx": 8192, "x": 10**30}, "keep_alive": None, "think": False, "new": [1.50]}
    outgoing = Ollama().request(prompt(native=True, **body, **given), TARGET)
    expected = {"model": "qwen3:4b", "messages": [{"role": "user", "content": "hi"}], **body, "stream": stream}
    assert expected == json.loads(outgoing.body)


@NEEDS_WIRE
@pytest.mark.parametrize("record", [*recordings("body", status=None), *recordings("ndjson", status=None)])
def test_a_recorded_native_request_goes_on_unchanged(record: Json) -> None:
    body = record["request"]["json"]
    outgoing = Ollama().request(prompt(native=True, **body), Target("local", body["model"]))
    assert {**body, "stream": body.get("stream", True)} == json.loads(outgoing.body)


def test_an_answer_and_a_stream_become_what_the_client_speaks() -> None:
    body = json.dumps(line("Hi", done=True)).encode()
    assert "Hi" == told_whole(Ollama().whole(prompt(), body)).text
    native = Ollama().whole(prompt(native=True), body + b"\n")
    assert (body, "ollama", "Hi") == (native.raw, native.dialect, native.text)
    for is_native, dialect in ((False, "chat"), (True, "ollama")):
        decoder = Ollama().decoder(prompt(native=is_native, stream=True))
        assert {dialect} == {event.dialect for event in decoder.feed(ndjson(line("Hi", done=True)))}


def test_models_have_their_names_and_the_latest_also_without_tag() -> None:
    body = b'{"models": [{"name": "a:latest", "size": 1}, {"name": "qwen3:4b"}, {"name": "hf.co/x/y:Q4"}, {"name": "a"}]}'
    assert ["a:latest", "a", "qwen3:4b", "hf.co/x/y:Q4"] == Ollama().models(body)
    assert "/api/tags" == Ollama().listing()
    assert "/v1/embeddings" == Ollama().embeddings("nomic-embed-text")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"models": 5}', b'{"models": [{}]}', b'{"error": "x"}', b'{"models": ["x"]}'])
def test_a_list_that_is_none_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        Ollama().models(body)
