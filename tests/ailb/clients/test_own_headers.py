from collections.abc import Mapping

import pytest

from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.clients.own_headers import decoded
from ailb.dialect import Speech
from ailb.errors import BadRequest

PLAIN = {"x-session-id": "s", "x-preferred-model": "m", "x-odd": "\xe9"}


def as_received(text: str) -> str:
    """As the guard hands it on."""
    return text.encode().decode("latin-1")


def test_what_is_plain_is_left_as_it_is() -> None:
    assert decoded(PLAIN) is PLAIN
    assert {} == decoded({})


@pytest.mark.parametrize("name", ["x-session-id", "x-preferred-model"])
def test_what_names_something_is_utf_8(name: str) -> None:
    assert {**PLAIN, name: "à 会"} == decoded({**PLAIN, name: as_received("à 会")})


@pytest.mark.parametrize(("name", "param"), [("x-session-id", "X-Session-ID"), ("x-preferred-model", "X-Preferred-Model")])
def test_what_is_not_utf_8_is_refused(name: str, param: str) -> None:
    with pytest.raises(BadRequest, match=f"{param} is not UTF-8") as refused:
        decoded({name: "\xe9"})
    assert param == refused.value.param


@pytest.mark.parametrize("speech", [Chat(), Messages(), OllamaChat()], ids=lambda speech: type(speech).__name__)
def test_a_session_is_the_same_in_the_header_and_in_the_body(speech: Speech) -> None:
    def session(given: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        return speech.prompt({"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **given}, headers).session_id

    assert "à" == session({"session_id": "à"}, {}) == session({}, {"x-session-id": as_received("à")})
