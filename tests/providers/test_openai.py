"""Requests, whole answers and model lists."""

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Dialect, Target
from ailb.errors import ConfigError, UpstreamBroken, UpstreamRefusal
from ailb.prompt import Prompt
from providers.openai import OpenAI
from tests.providers.openai_wire import NEEDS_WIRE, WIRE, Json, prompt, recordings

TARGET = Target("p", "up-model")
BIG = 123456789012345678901234567890


def sent(asked: Prompt, **options: Any) -> Json:
    body: Json = json.loads(OpenAI(**options).request(asked, TARGET).body)
    return body


def test_it_is_a_dialect() -> None:
    dialect: Dialect = OpenAI()
    assert dialect.serves == {"chat"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
OWN = ("model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "session_id", "rag_collection")
FIELDS = st.dictionaries(st.text().filter(lambda name: name not in (*OWN, "rag_top_k")), JSON, max_size=5)


@given(fields=FIELDS, stream=st.booleans())
def test_every_field_survives_exactly_and_the_prompt_is_not_changed(fields: Json, stream: bool) -> None:
    asked = prompt(**fields, stream=stream)
    before = copy.deepcopy(asked.body)
    asking = {"stream_options": {"include_usage": True}} if stream else {}
    assert {**before, "model": "up-model", **asking} == sent(asked) == sent(asked)
    assert before == asked.body


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 5},
        {"max_completion_tokens": 5, "temperature": 0, "logprobs": False, "stop": None},
        {"messages": [{"role": "developer", "content": "be brief", "odd": 0.1}], "tools": []},
        {"seed": BIG, "metadata": {"deep": [{"n": -BIG}]}, "text": "é\u2028日"},
    ],
)
def test_nothing_is_renamed_or_dropped(fields: Json) -> None:
    asked = prompt(**fields)
    assert {"messages": asked.body["messages"], "model": "up-model", **fields} == sent(asked)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (None, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_obfuscation": True, "odd": None}, {"include_obfuscation": True, "odd": None, "include_usage": True}),
    ],
)
def test_the_usage_of_a_stream_is_always_asked_for(given: Json | None, asked: Json) -> None:
    assert asked == sent(prompt(stream=True, stream_options=given))["stream_options"]


def test_who_refuses_stream_options_gets_none() -> None:
    asked = prompt(stream=True, stream_options={"include_usage": True})
    assert "stream_options" not in sent(asked, quirks=["no_stream_options"])
    assert asked.wants_usage


def test_a_path_may_name_the_model() -> None:
    dialect = OpenAI(chat_path="/openai/deployments/{model}/chat/completions")
    assert dialect.request(prompt(), Target("azure", "a/b?c")).path == "/openai/deployments/a%2Fb%3Fc/chat/completions"
    assert OpenAI().request(prompt(), Target("openai", "a/b?c")).path == "/chat/completions"


def test_the_client_s_headers_go_on_but_not_another_dialect_s() -> None:
    asked = prompt()
    asked.forward = {"x-request-tag": "1", "anthropic-beta": "b"}
    assert OpenAI().request(asked, TARGET).headers == {"x-request-tag": "1"}
    assert OpenAI().request(prompt(), TARGET).headers == {}


def test_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such quirk: usage_nowhere"):
        OpenAI(quirks=["usage_nowhere"])


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body", provider="openai"))
def test_a_whole_answer_keeps_its_bytes(record: Json) -> None:
    body = orjson.dumps(record["response"]["body"])
    event = OpenAI().whole(prompt(), body)
    assert body == event.raw
    assert orjson.loads(body) == event.data


def test_numbers_keep_their_shape() -> None:
    body = b'{"choices": [], "odd": 1.10, "big": 123456789012345678901234567890}'
    assert OpenAI().whole(prompt(), b"\n " + body + b"\n").raw == body
    assert json.loads(OpenAI(quirks=["ids"]).whole(prompt(), body).raw)["big"] == BIG


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"null",
        b'"hi"',
        b"{}",
        b'{"choices": null}',
        b'{"choices": {}}',
        b'{"choices": [1]}',
        b'{"choices": [{"message": "hi"}]}',
        b'{"choices": [NaN]}',
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b"[" * 100_000,
        b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"choices": [{"message": {"content": "cut',
    ],
)
@pytest.mark.parametrize("quirks", [[], ["ids", "content_parts"]])
def test_what_is_no_completion_is_broken(body: bytes, quirks: list[str]) -> None:
    with pytest.raises(UpstreamBroken):
        OpenAI(quirks=quirks).whole(prompt(), body)


@pytest.mark.parametrize("depth", [200, 300, 900])
def test_nesting_is_rebuilt_or_refused(depth: int) -> None:
    body = b'{"choices": [], "seed": 12345678901234567890123, "odd": ' + b"[" * depth + b"]" * depth + b"}"
    try:
        event = OpenAI(quirks=["ids"]).whole(prompt(), body)
    except UpstreamBroken as broken:
        assert "nested" in broken.message
    else:
        assert json.loads(event.raw)["odd"] == json.loads(body)["odd"]


def test_an_error_inside_a_200_is_a_refusal() -> None:
    with pytest.raises(UpstreamRefusal) as refused:
        OpenAI().whole(prompt(), b'{"error": {"message": "busy", "code": 503, "type": "server_error"}}')
    assert (refused.value.status, refused.value.message, refused.value.retry_elsewhere) == (503, "busy", True)


def test_an_error_that_is_null_is_none() -> None:
    assert OpenAI().whole(prompt(), b'{"error": null, "choices": []}').data == {"error": None, "choices": []}


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        ({"object": "list", "data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, ["a", "b"]),
        ({"data": [], "models": [{"name": "x"}]}, []),
        ({"models": [{"name": "models/gemini-2.5-flash"}, {"model": "m"}]}, ["gemini-2.5-flash", "m"]),
        ({"data": [{"id": "models/gemini-2.5-pro"}]}, ["gemini-2.5-pro"]),
        ([{"id": "a"}, "b", {"id": ""}, {"odd": 1}, 7, {"id": "x" * 300}, {"id": "a\nb"}], ["a", "b"]),
    ],
)
def test_every_shape_of_a_list_is_read(listed: Any, names: list[str]) -> None:
    assert names == OpenAI().models(orjson.dumps(listed))


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"data": 1}', b"null", b"7"])
def test_a_list_that_is_none_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        OpenAI().models(body)


@NEEDS_WIRE
def test_the_recorded_lists_are_read() -> None:
    lists = [json.loads(path.read_text()) for path in sorted(WIRE.glob("*/models-*.json"))]
    bodies = [record["response"]["body"] for record in lists if record["response"]["status"] == 200]
    assert bodies
    for body in bodies:
        assert [model["id"] for model in body["data"]] == OpenAI().models(orjson.dumps(body))


def test_where_the_list_is() -> None:
    assert OpenAI().listing() == "/models"
    assert OpenAI(models_path=None).listing() is None


@pytest.mark.parametrize(
    ("chat_path", "path"),
    [
        ("/chat/completions", "/embeddings"),
        ("/openai/deployments/{model}/chat/completions", "/openai/deployments/a%2Fb/embeddings"),
        ("/v2/talk", None),
    ],
)
def test_embeddings_are_beside_the_chat(chat_path: str, path: str | None) -> None:
    assert path == OpenAI(chat_path=chat_path).embeddings("a/b")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_completion_tokens": 5}, 5),
        ({"max_completion_tokens": 5, "max_tokens": 9}, 5),
        ({"max_completion_tokens": 9, "max_tokens": 5}, 5),
        ({"max_completion_tokens": None, "max_tokens": 5}, 5),
        ({"max_tokens": 5}, 5),
    ],
)
def test_who_knows_one_cap_only_is_given_that_one(fields: Json, expected: int) -> None:
    made = orjson.loads(OpenAI(quirks=["only_max_tokens"]).request(prompt(**fields), Target("p", "m")).body)
    assert (expected, False) == (made["max_tokens"], "max_completion_tokens" in made)


@pytest.mark.parametrize(("dialect", "name"), [("chat", "max_tokens"), ("messages", "max_completion_tokens")])
def test_the_cap_of_a_client_with_another_dialect_has_the_providers_name(dialect: str, name: str) -> None:
    class Asked(Prompt):
        __slots__ = ()

    Asked.dialect = dialect
    prompt = Asked({"model": "o3", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}, {})
    sent = orjson.loads(OpenAI(cap_name="max_completion_tokens").request(prompt, Target("p", "o3")).body)
    assert {name: 9} == {key: value for key, value in sent.items() if key.startswith("max_")}
