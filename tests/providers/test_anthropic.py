"""The dialect as the transport sees it."""

import json
from typing import Any

import pytest

from ailb.dialect import Dialect, Target
from ailb.errors import UpstreamBroken
from providers.anthropic import Anthropic
from tests.providers.anthropic_wire import Json, prompt

TARGET = Target("anthropic", "claude-sonnet-4-0")


def test_it_is_a_dialect_for_chat_and_for_its_own() -> None:
    dialect: Dialect = Anthropic()
    assert {"chat", "messages"} == dialect.serves


def test_a_chat_is_translated() -> None:
    sent = Anthropic(default_max_tokens=9).request(prompt(stream=True), TARGET)
    assert sent.path == "/v1/messages"
    assert sent.headers == {"anthropic-version": "2023-06-01"}
    hi = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
    assert {"model": TARGET.model, "max_tokens": 9, "messages": [hi], "stream": True} == json.loads(sent.body)


@pytest.mark.parametrize(
    ("forward", "part", "expected"),
    [
        ({"anthropic-beta": "a, b"}, "x", "a,b"),
        ({}, {"type": "file", "file": {"file_id": "f"}}, "files-api-2025-04-14"),
        ({"anthropic-beta": "a,files-api-2025-04-14"}, {"type": "file", "file": {"file_id": "f"}}, "a,files-api-2025-04-14"),
    ],
)
def test_betas_are_announced_once(forward: dict[str, str], part: Any, expected: str) -> None:
    asked = prompt({"messages": [{"role": "user", "content": [part]}]})
    asked.forward = {**forward, "anthropic-version": "2026-10-21"}
    assert {"anthropic-version": "2023-06-01", "anthropic-beta": expected} == Anthropic().request(asked, TARGET).headers


def test_its_own_dialect_is_sent_as_it_is_but_for_the_model() -> None:
    body: Json = {"messages": [], "unknown": None, "top_k": 1e-7, "big": 2**70, "model": "alias"}
    asked = prompt(body, native=True)
    asked.forward = {"anthropic-version": "2026-10-21", "anthropic-beta": "a"}
    sent = Anthropic().request(asked, TARGET)
    assert {**body, "model": TARGET.model} == json.loads(sent.body)
    assert asked.forward == sent.headers
    assert asked.body["model"] == "alias"


def test_a_client_that_names_no_version_gets_the_first() -> None:
    assert Anthropic().request(prompt(native=True), TARGET).headers == {"anthropic-version": "2023-06-01"}


def test_models_are_listed() -> None:
    assert Anthropic().listing() == "/v1/models?limit=1000"
    assert Anthropic().embeddings("m") is None
    assert Anthropic().models(b'{"data": [{"id": "a"}, {"id": "b", "type": "model"}], "has_more": false}') == ["a", "b"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": 7}', b'{"data": [{}]}', b'{"data": ["a"]}'])
def test_what_is_no_list_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        Anthropic().models(body)
