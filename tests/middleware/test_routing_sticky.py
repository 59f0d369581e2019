from typing import Any

import pytest

from ailb.clients.messages_prompt import MessagesPrompt
from ailb.testing import ask
from middleware.routing_sticky import PREFIX_CHARACTERS, key, known

SYSTEM = {"role": "system", "content": "You are kind."}


@pytest.mark.parametrize("sticky", ["", "session", "prefix", "user", "header:x-canary"])
def test_what_one_can_stay_with(sticky: str) -> None:
    assert known(sticky)


@pytest.mark.parametrize("sticky", ["sessions", "header:", "header", "key"])
def test_what_one_cannot_stay_with(sticky: str) -> None:
    assert not known(sticky)


def test_a_session_is_its_users() -> None:
    mine, theirs, other = ask(session_id="s"), ask(session_id="s"), ask(session_id="t")
    theirs.caller.user = "somebody else"
    assert key(mine, "session") == key(ask(session_id="s"), "session")
    assert 3 == len({key(exchange, "session") for exchange in (mine, theirs, other)})
    assert key(ask(), "session") is None


def test_a_user_and_a_header() -> None:
    exchange = ask(headers={"x-canary": "yes"})
    exchange.caller.user = "ann"
    assert (b"ann", b"yes", None) == (key(exchange, "user"), key(exchange, "header:X-Canary"), key(exchange, "header:x-other"))


def messages(*contents: Any) -> bytes | None:
    return key(ask(messages=[SYSTEM, *({"role": "user", "content": content} for content in contents)]), "prefix")


def test_a_prefix_is_the_system_prompt_and_the_first_thing_that_was_said() -> None:
    assert messages("first") == messages("first", "second")
    assert messages("first") != messages("other")
    assert messages("first") != key(ask("first"), "prefix")
    assert messages([{"type": "text", "text": "a"}]) != messages([{"type": "text", "text": "b"}])


def test_only_its_beginning_counts() -> None:
    long = "x" * PREFIX_CHARACTERS
    assert messages(long + "1") == messages(long + "2")
    assert key(ask(messages=[{"role": "system", "content": long}, {"role": "user", "content": "1"}]), "prefix") == key(
        ask(messages=[{"role": "system", "content": long}, {"role": "user", "content": "2"}]), "prefix"
    )


def test_what_is_no_unicode_is_a_prefix_too() -> None:
    assert messages("\ud800") is not None


def searching(*contents: Any, system: str = "Be kind.") -> bytes | None:
    """Of what only Anthropic can answer."""
    exchange = ask()
    said = [{"role": "user", "content": content} for content in contents]
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    exchange.prompt = MessagesPrompt({"model": "m", "max_tokens": 9, "system": system, "messages": said, "tools": tools}, {})
    return key(exchange, "prefix")


def test_what_has_no_form_as_a_chat_has_a_prefix_too() -> None:
    assert searching("first") == searching("first", "second")
    assert 3 == len({searching("first"), searching("other"), searching("first", system="Be brief.")})


def test_a_mark_for_the_cache_is_no_part_of_a_prefix() -> None:
    first = {"type": "text", "text": "first"}
    assert searching([first]) == searching([{**first, "cache_control": {"type": "ephemeral"}}])
