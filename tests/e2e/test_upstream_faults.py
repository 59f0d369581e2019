"""Upstreams that are unreachable, silent or broken (FAULTS C2-C5, C9)."""

from time import monotonic

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.scripts import fails, hello, says, silent, stalls
from tests.e2e.upstream import Script, Talk, Upstream
from tests.e2e.wire import completion, error_of, frames, said

MARGIN = 10.0
"""Seconds that a loaded machine may add to a timeout of 0.5 or 0.6. Whoever is patient waits for 15."""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["d", "n"], ids=["refused", "black hole"])
def test_an_unreachable_target_is_passed_over(gateway: Gateway, upstream: Upstream, kind: str, stream: bool) -> None:
    start = monotonic()
    answer = gateway.chat(upstream.on(hello, kind=kind), stream=stream)
    assert answer.status == 200
    assert (said(answer.body) if stream else answer.json["choices"][0]["message"]["content"]) == "hello"
    assert monotonic() - start < 0.5 + MARGIN


def test_nobody_there_is_a_503_that_names_the_attempts_but_no_address(gateway: Gateway) -> None:
    answer = gateway.chat("dead/d-nobody")
    assert answer.status == 503
    assert answer.json["detail"].startswith("All providers unavailable")
    assert [(attempt["provider"], attempt["model"]) for attempt in answer.error["attempts"]] == [("dead", "d-nobody")]
    assert b"127.0.0.1" not in answer.body


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_target_is_left_for_the_next_one(gateway: Gateway, upstream: Upstream, stream: bool) -> None:
    """`first_token` is 0.6 s, for whole answers `total` is 2 s."""
    model = upstream.on(silent, b=hello, kind="h")
    start = monotonic()
    answer = gateway.chat(model, stream=stream)
    assert (said(answer.body) if stream else answer.json["choices"][0]["message"]["content"]) == "hello"
    assert monotonic() - start < (0.6 if stream else 2.0) + MARGIN
    assert [call.path.split("/")[1] for call in upstream.calls(model)] == ["hasty", "b"]
    assert upstream.call(model).gone.wait(MARGIN)


def test_a_stream_that_stalls_ends_with_an_error_and_its_socket_is_closed(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(stalls, b=says("spliced"), kind="h")
    start = monotonic()
    answer = gateway.chat(model, stream=True)
    assert monotonic() - start < 0.6 + MARGIN
    assert error_of(answer.body) is not None
    assert len(frames(answer.body)) == 2
    assert upstream.call(model).gone.wait(MARGIN)
    assert len(upstream.calls(model)) == 1


def once_a_connection() -> Script:
    """Keeps the connection alive, and closes it when it is used again, without a byte."""
    used: set[int] = set()

    async def script(talk: Talk) -> None:
        if talk.call.connection in used:
            talk.close()
            return
        used.add(talk.call.connection)
        await hello(talk)

    return script


@pytest.mark.parametrize("stream", [False, True])
def test_a_kept_connection_that_just_closed_is_nobodys_error(gateway: Gateway, upstream: Upstream, stream: bool) -> None:
    model = upstream.on(once_a_connection())
    statuses = [gateway.chat("a/" + model, stream=stream).status for _ in range(10)]
    assert statuses == [200] * 10
    assert len(upstream.calls(model)) <= 20


@pytest.mark.parametrize("status", [500, 503])
def test_an_open_circuit_answers_at_once(gateway: Gateway, upstream: Upstream, status: int) -> None:
    model = upstream.on(fails(status))
    for _ in range(5):
        assert gateway.chat("a/" + model).status == status
    asked = len(upstream.calls(model))
    answer = gateway.chat("a/" + model)
    assert answer.status == 503
    assert 1 <= int(answer.header("retry-after") or 0) <= 60
    assert answer.error["attempts"][0]["error"] == "circuit open"
    assert len(upstream.calls(model)) == asked


def test_an_open_circuit_is_passed_over(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(fails(500), b=hello)
    attempts = [gateway.chat(model).header("x-ailb-attempts") for _ in range(7)]
    assert attempts == ["2"] * 5 + ["1"] * 2


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_an_error_about_the_request_is_final_and_verbatim(gateway: Gateway, upstream: Upstream, status: int) -> None:
    error = {"message": "your fault", "type": "invalid_request_error", "param": "tools[0]", "code": "odd_tool"}
    model = upstream.on(fails(status, {"error": error}), b=hello)
    answer = gateway.chat(model)
    assert (answer.status, answer.error) == (status, error)
    assert len(upstream.calls(model)) == 1


def test_the_last_ones_error_comes_with_its_waiting_time(gateway: Gateway, upstream: Upstream) -> None:
    error = {"message": "slow down", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}
    answer = gateway.chat(upstream.on(fails(429, {"error": error}, retry_after="7", x_ratelimit_reset_tokens="6s")))
    assert (answer.status, answer.error) == (429, error)
    assert (answer.header("retry-after"), answer.header("x-ratelimit-reset-tokens")) == ("7", "6s")


def test_a_good_answer_keeps_every_byte_that_it_can(gateway: Gateway, upstream: Upstream) -> None:
    async def odd(talk: Talk) -> None:
        await talk.answer(b'{"unknown": 1.10, "big": 123456789012345678901234567890, ' + completion_bytes[1:])

    completion_bytes = b'{"id": "x", "object": "chat.completion", "created": 1, "model": "up", "choices": []}'
    answer = gateway.chat(upstream.on(odd))
    assert b"1.10" in answer.body
    assert b"123456789012345678901234567890" in answer.body


def test_the_plain_case(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.chat(upstream.on(hello))
    assert (answer.status, answer.json) == (200, completion("hello"))
