from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any

import pytest

from ailb.commands.explain_asked import asked
from ailb.errors import Unavailable
from tests.ailb.commands.answering import answering

RECORD = b'{"would":"ask fake/m"}'


@contextmanager
def gateway(answer: bytes, status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """Its URL, and what it was asked: path, key, user and body of each request."""
    seen: list[Any] = []

    def answered(path: str, headers: Message, body: bytes) -> tuple[int, bytes]:
        seen.append((path, headers["authorization"], headers["x-user-id"], headers["content-type"], body))
        return status, answer

    with answering(answered) as address:
        yield address, seen


@pytest.mark.parametrize(("prefix", "base"), [("http://", ""), ("", ""), ("http://", "/llm/")])
def test_a_gateway_is_asked(prefix: str, base: str) -> None:
    with gateway(RECORD) as (where, seen):
        assert RECORD == asked(f"{prefix}{where}{base}", b"{}", key="secret", user="ann")
    path = f"{base.rstrip('/')}/api/routing/explain"
    assert [(path, "Bearer secret", "ann", "application/json", b"{}")] == seen


def test_without_a_key_and_a_user_none_is_sent() -> None:
    with gateway(RECORD) as (where, seen):
        asked(where, b"{}")
    assert (None, None) == seen[0][1:3]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b'{"detail": "Invalid API key"}', 401, "answers 401: Invalid API key"),
        (b"<html>", 200, "answers 200, which is no gateway's answer"),
        (b"{}", 200, "answers 200, which is no gateway's answer"),
        (b"[]", 404, "answers 404, which is no gateway's answer"),
    ],
)
def test_what_is_wrong_is_said(answer: bytes, status: int, said: str) -> None:
    with gateway(answer, status) as (where, _), pytest.raises(Unavailable) as refused:
        asked(where, b"{}", key="secret")
    assert refused.value.message.endswith(said)
    assert "secret" not in refused.value.message


def test_one_that_is_not_there_is_said() -> None:
    with gateway(RECORD) as (where, _):
        pass
    with pytest.raises(Unavailable, match="does not answer"):
        asked(where, b"{}")
