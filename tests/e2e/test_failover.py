"""What the official SDK of a client sees while providers fail behind the gateway: an answer, of one provider only."""

from collections.abc import Iterator, Mapping
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Launch
from tests.e2e.gateway import Gateway, table
from tests.e2e.scripts import fails, hello, says, sends
from tests.e2e.upstream import Script, Talk, Upstream
from tests.e2e.wire import data, head

EVENTS = head(200, {"content-type": "text/event-stream"})
LONG = {"error": {"message": "too long", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}
FILTERED = {"error": {"message": "filtered", "type": "invalid_request_error", "param": None, "code": "content_filter"}}
WRONG = {"error": {"message": "no such field", "type": "invalid_request_error", "param": "x", "code": None}}


async def says_error_first(talk: Talk) -> None:
    """In the way that a stream has for it, or as a whole answer of 200."""
    error = {"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}}
    if talk.call.json.get("stream"):
        await talk.end(data(error))
    else:
        await talk.answer(error)


FAILURES: Mapping[str, Script] = {
    "500": fails(500),
    "503": fails(503),
    "429": fails(429),
    "401": fails(401),
    "closed": sends(),
    "reset": sends(then="reset"),
    "half a head": sends(b"HTTP/1.1 200 O"),
    "a head and no more": sends(EVENTS),
    "a comment and no more": sends(EVENTS + b": thinking\n\n"),
    "not HTTP": sends(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "HTML": sends(head(200, {"content-type": "text/html", "content-length": "13"}) + b"<html></html>"),
    "an error first": says_error_first,
}


def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="k", max_retries=0, timeout=20)


def heard(gateway: Gateway, model: str, stream: bool, **more: Any) -> tuple[str, Mapping[str, str]]:
    """The text, and the headers."""
    with client(gateway) as sdk:
        create: Any = sdk.chat.completions.with_raw_response.create
        raw = create(model=model, stream=stream, messages=[{"role": "user", "content": "hi"}], **more)
        answer: Any = raw.parse()
        if not stream:
            return str(answer.choices[0].message.content), raw.headers
        return "".join(choice.delta.content or "" for chunk in answer for choice in chunk.choices), raw.headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_no_client_sees_what_fails_before_the_first_byte(gateway: Gateway, upstream: Upstream, failure: Script, stream: bool) -> None:
    model = upstream.on(failure, b=says("from ", "b"))
    text, headers = heard(gateway, model, stream)
    assert ("from b", "b", "2") == (text, headers["x-ailb-provider"], headers["x-ailb-attempts"])
    assert ["/a/", "/b/"] == sorted({call.path[:3] for call in upstream.calls(model)})


@pytest.fixture(scope="module")
def falls(launch: Launch, upstream: Upstream) -> Iterator[tuple[Gateway, Mapping[str, str]]]:
    """The name of the model to turn to, by what went wrong; `f-*` turns to them."""
    names = {what: upstream.on(says(what)) for what in ("rate_limit", "context_length", "content_policy", "any")}
    fallbacks = ", ".join(f'{what} = ["{name}"]' for what, name in names.items())
    first = f'[[model]]\nname = "f-*"\ntargets = [{{ provider = "first" }}]\nfallbacks = {{ {fallbacks} }}\n'
    told = {"name": "first", "kind": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/first/v1", "api_key": "k" * 20}
    with launch(f"[[provider]]\n{table({**told, 'models': ['f-*'], 'local': True})}{first}") as gateway:
        yield gateway, names


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("failure", "what"),
    [
        (fails(429), "rate_limit"),
        (fails(400, LONG), "context_length"),
        (fails(400, FILTERED), "content_policy"),
        (fails(500), "any"),
        (sends(then="reset"), "any"),
    ],
)
def test_another_model_is_turned_to_by_what_went_wrong(
    falls: tuple[Gateway, Mapping[str, str]], upstream: Upstream, failure: Script, what: str, stream: bool
) -> None:
    gateway, names = falls
    text, headers = heard(gateway, upstream.on(failure, kind="f"), stream)
    assert (what, names[what]) == (text, headers["x-ailb-model"])


def test_no_other_model_is_asked_what_none_would_take(falls: tuple[Gateway, Mapping[str, str]], upstream: Upstream) -> None:
    gateway, names = falls
    before = [len(upstream.calls(name)) for name in names.values()]
    with pytest.raises(openai.BadRequestError) as refused:
        heard(gateway, upstream.on(fails(400, WRONG), kind="f"), False)
    assert (WRONG["error"], before) == (refused.value.body, [len(upstream.calls(name)) for name in names.values()])


def test_a_model_that_answers_turns_to_none(falls: tuple[Gateway, Mapping[str, str]], upstream: Upstream) -> None:
    model = upstream.on(hello, kind="f")
    text, headers = heard(falls[0], model, True)
    assert ("hello", model) == (text, headers["x-ailb-model"])
