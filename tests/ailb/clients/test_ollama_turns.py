"""Ollama's messages as those of a chat completion."""

from typing import Any

import pytest

from ailb.clients.ollama_turns import conversation, native

Json = dict[str, Any]


def call(name: str, arguments: Any = None, **more: Any) -> Json:
    return {"function": {"name": name, "arguments": arguments}, **more}


def result(content: str, **more: Any) -> Json:
    return {"role": "tool", "content": content, **more}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"role": "user", "content": "x", "images": []}, {"role": "user", "content": "x"}),
        ({"role": "assistant", "tool_calls": None}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "content": "a", "thinking": "t"}, {"role": "assistant", "content": "a", "reasoning_content": "t"}),
        ({"role": "odd", "content": 5, "tool_calls": "x"}, {"role": "odd", "content": 5, "tool_calls": "x"}),
        ({"role": "assistant", "content": "", "tool_calls": ["x", {}]}, {"role": "assistant", "content": "", "tool_calls": ["x", {}]}),
    ],
)
def test_one_message(given: Json, expected: Json) -> None:
    assert [expected] == conversation([given])


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("iVBORw0KGgoAAA", "data:image/png;base64,iVBORw0KGgoAAA"),
        ("/9j/4AAQ", "data:image/jpeg;base64,/9j/4AAQ"),
        ("R0lGODlh", "data:image/gif;base64,R0lGODlh"),
        ("UklGRiQA", "data:image/webp;base64,UklGRiQA"),
        ("AAAA", "data:image/png;base64,AAAA"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
    ],
)
def test_images_become_data_urls(image: str, url: str) -> None:
    (made,) = conversation([{"role": "user", "content": "", "images": [image]}])
    assert [{"type": "image_url", "image_url": {"url": url}}] == made["content"]
    (made,) = conversation([{"role": "user", "content": "x", "images": [image]}])
    assert {"type": "text", "text": "x"} == made["content"][0]


def ids(*messages: Json) -> tuple[list[str], list[str]]:
    made = conversation(messages)
    return [c["id"] for m in made for c in m.get("tool_calls", ())], [m["tool_call_id"] for m in made if m["role"] == "tool"]


def asks(*calls: Json) -> Json:
    return {"role": "assistant", "content": "", "tool_calls": list(calls)}


@pytest.mark.parametrize(
    ("messages", "calls", "results"),
    [
        ([asks(call("f"), call("g")), result("1"), result("2")], ["call_0", "call_1"], ["call_0", "call_1"]),
        ([asks(call("f"), call("g")), result("2", tool_name="g"), result("1", tool_name="f")], ["call_0", "call_1"], ["call_1", "call_0"]),
        ([asks(call("f"), call("f")), result("1", name="f"), result("2", tool_name="f")], ["call_0", "call_1"], ["call_0", "call_1"]),
        ([asks(call("f")), result("1"), asks(call("f")), result("2")], ["call_0", "call_1"], ["call_0", "call_1"]),
        ([asks(call("f", id="a"), call("f", id="b")), result("2", tool_call_id="b"), result("1")], ["a", "b"], ["b", "a"]),
        ([asks(call("f", id="call_1"), call("f"), call("f", id="call_1"))], ["call_1", "call_1_", "call_2"], []),
        ([asks(call("f")), result("1", tool_name="z"), result("1")], ["call_0"], ["call_1", "call_0"]),
        ([result("1"), result("1", tool_call_id="x")], [], ["call_0", "x"]),
    ],
)
def test_results_find_their_calls(messages: list[Json], calls: list[str], results: list[str]) -> None:
    assert (calls, results) == ids(*messages)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"x": 1}, '{"x":1}'), ({}, "{}"), (None, "{}"), ('{"x": 1}', '{"x": 1}'), ({"x": 10**30}, '{"x":1' + "0" * 30 + "}")],
)
def test_arguments_become_a_text(arguments: Any, expected: str) -> None:
    (made,) = conversation([asks(call("f", arguments))])
    assert {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": expected}} == made["tool_calls"][0]


def test_a_round_of_tools_becomes_native_and_comes_back_as_it_was() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    chat: list[dict[str, Any]] = [
        {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [call, {**call, "id": "c2"}]},
        {"role": "tool", "content": "2", "tool_call_id": "c2"},
        {"role": "tool", "content": "1", "tool_call_id": "c1"},
    ]
    made = [native(message) for message in chat]
    assert {"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}} == made[0]["tool_calls"][0]
    assert chat == conversation(made)


def test_a_chat_message_becomes_native() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, "x", {"type": "image_url"}]
    assert {"role": "system", "content": "a\nb"} == native({"role": "developer", "content": parts, "name": "n"})
