"""Native requests as chat completions, and back again."""

import json
from typing import Any

import pytest

from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.dialect import Target
from ailb.prompt import Prompt
from providers.ollama import Ollama
from tests.providers.ollama_wire import NEEDS_WIRE, Json, recordings

SCHEMA = {"type": "object"}
TOLD = ("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "num_predict")


def chat(**body: Any) -> Json:
    made = OllamaPrompt({"messages": [{"role": "user", "content": "hi"}], "stream": False, **body}, {}).chat()
    return {name: value for name, value in made.items() if name != "messages"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"model": "m", "keep_alive": 5, "template": "x", "new": 1, "options": None}, {"model": "m"}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"format": ""}, {}),
        ({"format": "json"}, {"response_format": {"type": "json_object"}}),
        ({"format": SCHEMA}, {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}}),
        ({"think": True}, {"reasoning_effort": "medium"}),
        ({"think": "high"}, {"reasoning_effort": "high"}),
        ({"think": False}, {}),
        ({"tools": []}, {}),
        ({"tools": [{"function": {"name": "f"}}]}, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ({"options": {"temperature": 0, "top_p": 1, "seed": 0}}, {"temperature": 0, "top_p": 1, "seed": 0}),
        (
            {"options": {"stop": ["a"], "presence_penalty": 1, "frequency_penalty": 0}},
            {"stop": ["a"], "presence_penalty": 1, "frequency_penalty": 0},
        ),
        ({"options": {"stop": [], "seed": None, "num_ctx": 5, "top_k": 1, "num_predict": -1}}, {}),
        ({"options": {"num_predict": 5}}, {"max_tokens": 5}),
    ],
)
def test_fields(body: Json, expected: Json) -> None:
    assert expected == chat(**body)


def essence(body: Json) -> Json:
    """What a native request says that another provider could know of: defaults and empty members left out, ids and types of calls too."""
    options = {name: value for name, value in (body.get("options") or {}).items() if name in TOLD and value is not None}
    messages = []
    for message in body["messages"]:
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        messages.append((message["role"], message["content"], message.get("thinking"), message.get("images"), calls))
    tools = [tool["function"] for tool in body.get("tools") or ()]
    wanted = {"options": options, "messages": messages, "tools": tools, "format": body.get("format") or None}
    return {**wanted, "model": body["model"], "stream": body.get("stream") is not False, "think": bool(body.get("think"))}


@NEEDS_WIRE
@pytest.mark.parametrize("record", [*recordings("body", status=None), *recordings("ndjson")])
def test_a_recorded_request_comes_back_from_its_chat_completion(record: Json) -> None:
    native = record["request"]["json"]
    told = Prompt(json.loads(json.dumps(OllamaPrompt({**native}, {}).chat())), {})
    back = json.loads(Ollama().request(told, Target("local", native["model"])).body)
    assert essence(native) == essence(back)
    named = [message["tool_name"] for message in native["messages"] if "tool_name" in message]
    assert named == [message["tool_name"] for message in back["messages"] if message["role"] == "tool"][: len(named)]


def test_images_and_stops_come_back_too() -> None:
    message = {"role": "user", "content": "what?", "images": ["iVBORw0KGgo="]}
    native = {"model": "m", "messages": [message], "options": {"stop": ["a", "b"], "num_predict": 3}, "format": SCHEMA, "think": True}
    told = Prompt(OllamaPrompt({**native}, {}).chat(), {})
    back = json.loads(Ollama().request(told, Target("local", "m")).body)
    assert essence(native) == essence(back)
