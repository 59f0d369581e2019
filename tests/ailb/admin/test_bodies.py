from typing import Annotated, Any

import orjson
import pytest
from pydantic import Field
from starlette.requests import Request
from starlette.types import Message

from ailb.admin.bodies import MOST_BYTES, Body, body_of, number
from ailb.errors import BadRequest, BodyTooLarge, Refusal, UnsupportedMedia


class Inner(Body):
    pass


class Shape(Body):
    name: str
    sizes: list[Annotated[int, Field(ge=0)]] = Field(default=[], min_length=1)
    inner: Inner | None = None
    ratio: float = 1.0


def request(body: Any = b"", query: str = "", **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    messages: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    scope = {"type": "http", "query_string": query.encode(), "headers": [], "ailb.headers": headers}
    return Request(scope, receive)


async def test_a_body_is_its_shape() -> None:
    assert Shape(name="a") == await body_of(request({"name": "a"}), Shape)


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "name", "name: is missing"),
        ({"name": "a", "nam": 1}, "nam", "nam: no such field; did you mean name?"),
        ({"nam": 1}, "nam", "nam: no such field; did you mean name?"),
        ({"name": 1}, "name", "name: should be a valid string"),
        ({"name": None}, "name", "name: should be a valid string"),
        ({"name": "a", "sizes": [0, -1]}, "sizes[1]", "sizes[1]: should be greater than or equal to 0"),
        ({"name": "a", "sizes": ["1"]}, "sizes[0]", "sizes[0]: should be a valid integer"),
        ({"name": "a", "sizes": [True]}, "sizes[0]", "sizes[0]: should be a valid integer"),
        (b'{"name": "a", "ratio": NaN}', None, "the body is not valid JSON"),
        (b'{"name": "a", "ratio": 1e400}', None, "the body is not valid JSON"),
        (b"", None, "the body is not valid JSON"),
        (b"[]", None, "the body must be a JSON object"),
        (b"\xff", None, "the body is not valid JSON"),
        (b"[" * 100_000, None, "the body is not valid JSON"),
    ],
)
async def test_what_is_wrong_with_a_body_and_where(body: Any, param: str | None, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await body_of(request(body), Shape)
    assert param == caught.value.param
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "a", "sizes": []}, "sizes: list should have at least 1 item"),
        ({"name": "a", "inner": 5}, "inner: should be a valid dictionary"),
    ],
)
async def test_nothing_is_said_of_how_it_was_checked(body: Any, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await body_of(request(body), Shape)
    assert message == caught.value.message


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        ({"content-encoding": "gzip"}, b"{}", UnsupportedMedia),
        ({"content-length": str(10**12)}, b"{}", BodyTooLarge),
        ({}, b" " * (MOST_BYTES + 1), BodyTooLarge),
    ],
)
async def test_bodies_that_are_not_read(headers: dict[str, str], body: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        await body_of(request(body, **headers), Shape)


class Optional(Body):
    grace: int = 5


async def test_no_body_at_all_where_none_is_needed() -> None:
    assert Optional() == await body_of(request(), Optional, empty=True)
    with pytest.raises(BadRequest):
        await body_of(request(b" "), Optional, empty=True)


async def test_a_body_that_was_cut() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    with pytest.raises(BadRequest, match="not complete"):
        await body_of(Request({"type": "http", "headers": [], "ailb.headers": {}}, receive), Shape)


@pytest.mark.parametrize(("query", "expected"), [("", 7), ("n=1", 1), ("n=100", 100), ("m=x", 7)])
def test_a_number_in_the_query(query: str, expected: int) -> None:
    assert expected == number(request(query=query), "n", 7, 1, 100)


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "1.0", "x", "%201", "1" * 5000, "٣", "1e1"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        number(request(query=f"n={text}"), "n", 7, 1, 100)
    assert "n" == caught.value.param
