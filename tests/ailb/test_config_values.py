from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb import config_values as values


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (values.name, "open-ai_2", "open-ai_2"),
        (values.host, "Chat.example.com", "Chat.example.com"),
        (values.host, "[::1]", "[::1]"),
        (values.origin, "*", "*"),
        (values.origin, "https://chat.example.com:8443", "https://chat.example.com:8443"),
        (values.network, "10.0.0.0/8", "10.0.0.0/8"),
        (values.network, "::1", "::1/128"),
        (values.base_url, "http://127.0.0.1:11434/", "http://127.0.0.1:11434"),
        (values.base_url, "http://[::1]:1/v1", "http://[::1]:1/v1"),
        (values.header, "X-Team", "x-team"),
        (values.sticky, "", ""),
        (values.sticky, "session", "session"),
        (values.sticky, "prefix", "prefix"),
        (values.sticky, "user", "user"),
        (values.sticky, "header:X-Team", "header:x-team"),
    ],
)
def test_good(check: Callable[[str], str], value: str, expected: str) -> None:
    assert expected == check(value)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (values.name, ""),
        (values.sticky, "sesion"),
        (values.sticky, "header"),
        (values.sticky, "header:"),
        (values.sticky, "header:a b"),
        (values.sticky, "cookie:a"),
        (values.name, "OpenAI"),
        (values.name, "a" * 65),
        (values.name, "a\n"),
        (values.host, "a.example:80"),
        (values.host, "https://a.example"),
        (values.origin, "https://a.example/"),
        (values.origin, "a.example"),
        (values.origin, "null"),
        (values.network, "10.0.0.1/8"),
        (values.network, "all"),
        (values.header, "a b"),
        (values.header, "a\r\nb"),
        (values.header, ""),
        *(
            (values.base_url, url)
            for url in (
                "",
                "api.example.com",
                "file:///etc/passwd",
                "https://",
                "https://user:word@a.example",
                "https://@a.example",
                "https://a.example/?key=1",
                "https://a.example/?",
                "https://a.example/#x",
                "https://a.example:0",
                "https://a.example:99999",
                "https://a.example:x",
                "https://[::1",
                "https://a.example/\nx",
                "https://a.example/ x",
                "https://a.example\\@b.example",
                "https://exämple.com",
            )
        ),
    ],
)
def test_bad(check: Callable[[str], str], value: str) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        check(value)


@given(
    check=st.sampled_from([values.name, values.host, values.origin, values.network, values.base_url, values.header]),
    value=st.text(min_size=9),
)
def test_whatever_it_is_it_is_not_shown(check: Callable[[str], str], value: str) -> None:
    try:
        check(value)
    except ValueError as problem:
        assert value not in str(problem)


def test_one_is_a_list_of_one() -> None:
    assert [["a"], ["a", "b"], 5] == [values.one_or_more(value) for value in ("a", ["a", "b"], 5)]
