"""Ollama to Ollama: bytes kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.errors import UpstreamBroken, UpstreamRefusal
from ailb.usage import Usage
from providers.ollama import Ollama
from providers.ollama_native import OllamaEvent
from tests.providers.ollama_wire import NEEDS_WIRE, Json, decode, line, lines_of, ndjson, prompt, recordings, said_native


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("ndjson"))
def test_a_recorded_stream_goes_on_byte_for_byte(record: Json) -> None:
    wire = record["response"]["ndjson"].encode()
    events, decoder = decode(wire, native=True)
    said = said_native(lines_of(wire))
    assert wire == b"".join(event.raw for event in events)
    assert (said.text, said.reasoning) == ("".join(e.text for e in events), "".join(e.reasoning for e in events))
    assert [None] * (len(events) - 1) + [Usage(*said.tokens)] == [event.usage for event in events]
    assert decoder.done


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("ndjson"))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_cut_anywhere_gives_the_same_lines(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["ndjson"].encode()
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=4))
    assert [event.raw for event in decode(wire, native=True)[0]] == [event.raw for event in decode(wire, cuts, native=True)[0]]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body"))
def test_a_recorded_answer_goes_on_byte_for_byte(record: Json) -> None:
    body = json.dumps(record["response"]["body"]).encode()
    event = Ollama().whole(prompt(native=True, stream=False), b" " + body + b"\n")
    said = said_native([record["response"]["body"]])
    assert (body, said.text, said.reasoning, Usage(*said.tokens)) == (event.raw, event.text, event.reasoning, event.usage)


def test_unknown_members_number_formats_and_line_ends_are_kept_or_made_plain() -> None:
    data = b'{"message":{"content":"a"},"new":1.10}\r\n\n  {"done":true, "x":[ ]}'
    events, _ = decode(data, native=True)
    assert [b'{"message":{"content":"a"},"new":1.10}\n', b'{"done":true, "x":[ ]}\n'] == [event.raw for event in events]
    assert ["a", ""] == [event.text for event in events]


def test_a_line_can_be_made_from_its_json() -> None:
    event = OllamaEvent.chunk(line("x"), Usage(1, 2), hidden=True)
    assert (line("x"), "x", Usage(1, 2), True) == (json.loads(event.raw), event.text, event.usage, event.hidden)
    assert event.raw.endswith(b"}\n")


def test_errors_and_cuts_are_seen() -> None:
    decoder = Ollama().decoder(prompt(native=True))
    events = decoder.feed(ndjson(line("Par"), {"error": "gone"}, line("no")))
    assert ["Par"] == [event.text for event in events]
    assert isinstance(decoder.error, UpstreamRefusal)
    with pytest.raises(UpstreamBroken):
        decode(ndjson(line("Par")), native=True)


def test_the_prompt_is_not_changed() -> None:
    native = prompt(native=True, options={"seed": 1})
    Ollama().request(native, Target("p", "other"))
    assert {"model": "m", "messages": [{"role": "user", "content": "hi"}], "options": {"seed": 1}} == native.body
