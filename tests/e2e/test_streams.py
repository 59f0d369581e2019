"""What a stream carries, and how it ends when its upstream does not end it (FAULTS B10-B15)."""

import asyncio
import json
from time import monotonic

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.raw import Answer
from tests.e2e.scripts import hello, says, sends
from tests.e2e.upstream import Script, Talk, Upstream
from tests.e2e.wire import DONE, STOP, asked, chunked, delta, error_of, frames, head, said, token

HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
CORPUS = "日本語 한국어 👩‍👩‍👧‍👦🏽 שלום é ẹ́ \u2028 🇯🇵"


def pieces(*parts: bytes) -> Script:
    """A stream in these parts, with a breath between two of them, so that they also arrive in parts more often than not."""

    async def script(talk: Talk) -> None:
        await talk.stream()
        for part in parts:
            await talk.stream(part)
            await asyncio.sleep(0.001)
        await talk.end()

    return script


def test_characters_survive_a_cut_at_every_byte(gateway: Gateway, upstream: Upstream) -> None:
    whole = token(CORPUS)
    for cut in range(whole.index(b"content"), len(whole)):
        answer = gateway.chat(upstream.on(pieces(whole[:cut], whole[cut:] + STOP + DONE)), stream=True)
        assert said(answer.body) == CORPUS
        assert frames(answer.body)[-1] == b"[DONE]"


EVENTS = token("one") + token("two") + STOP + DONE
SPREAD = json.dumps(delta("two"), indent=1).replace("\n", "\ndata:").encode()
FRAMINGS: dict[str, list[bytes]] = {
    "CRLF": [EVENTS.replace(b"\n", b"\r\n")],
    "CR": [EVENTS.replace(b"\n", b"\r")],
    "CRLF, cut between": [EVENTS.replace(b"\n", b"\r\n")[:-1], b"\n"],
    "BOM": [b"\xef\xbb\xbf" + EVENTS],
    "comments": [b": hi\n\n" + EVENTS.replace(b"\n\n", b"\n\n: more\n\n")],
    "no space after the colon": [EVENTS.replace(b"data: ", b"data:")],
    "event, id and retry fields": [EVENTS.replace(b"data: {", b"event: message\nid: 7\nretry: 1\ndata: {")],
    "data on several lines": [token("one") + b"data:" + SPREAD + b"\n\n" + STOP + DONE],
    "single bytes": [EVENTS[n : n + 1] for n in range(len(EVENTS))],
    "no last blank line": [EVENTS.removesuffix(b"\n\n")],
    "no done": [EVENTS.removesuffix(DONE)],
}


@pytest.mark.parametrize("parts", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_every_framing_means_the_same(gateway: Gateway, upstream: Upstream, parts: list[bytes]) -> None:
    answer = gateway.chat(upstream.on(pieces(*parts)), stream=True)
    assert answer.status == 200
    assert said(answer.body) == "onetwo"
    assert frames(answer.body)[-1] == b"[DONE]"
    assert answer.body.count(b"[DONE]") == 1


def test_fifty_events_in_one_chunk(gateway: Gateway, upstream: Upstream) -> None:
    texts = [f"{n} " for n in range(50)]
    answer = gateway.chat(upstream.on(pieces(b"".join(map(token, texts)) + STOP + DONE)), stream=True)
    assert said(answer.body) == "".join(texts)


END = b"0\r\n\r\n"
BREAKS: dict[str, tuple[bytes, str]] = {
    "an error event": (chunked(b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n') + END, "stay"),
    "an error event, and done": (chunked(b'data: {"error": {"message": "no"}}\n\n' + DONE) + END, "stay"),
    "a JSON tail": (chunked(b'{"error": {"message": "no"}}') + END, "stay"),
    "an HTML tail": (chunked(b"<html><body>502 Bad Gateway</body></html>") + END, "stay"),
    "not JSON": (chunked(b"data: {nonsense\n\n") + END, "stay"),
    "a proper end too early": (END, "stay"),
    "closed": (b"", "close"),
    "closed inside an event": (chunked(token("second")[:40]), "close"),
    "reset": (b"", "reset"),
    "garbage where a chunk should be": (b"zz\r\n\r\n", "hang"),
    "an endless event": (chunked(b"data: " + b"x" * (9 << 20)), "hang"),
}


@pytest.mark.parametrize(("rest", "then"), BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_stream_ends_with_an_error_and_nothing_is_spliced(gateway: Gateway, upstream: Upstream, rest: bytes, then: str) -> None:
    """The rest comes when the client has the first event. `idle` is 15 s: an end that comes by it is too late."""
    go = upstream.flag()

    async def script(talk: Talk) -> None:
        await talk.stream(token("first"))
        await go.reached()
        await sends(rest, then=then)(talk)

    model = upstream.on(script, b=says("spliced"))
    with gateway.client() as client:
        client.post(asked(model, stream=True), headers={"x-request-id": f"broken-{model}"}).head()
        client.until(b"first")
        go.set()
        start = monotonic()
        b"".join(client.chunks())
    assert monotonic() - start < 12.0
    error = error_of(client.read)
    assert error is not None
    assert error["message"]
    assert b"[DONE]" not in client.read
    assert said(client.read.rpartition(b"data:")[0]) == "first"
    assert len(upstream.calls(model)) == 1
    assert '"broken"' in gateway.line_with(f"broken-{model}")


UNBEGUN: dict[str, Script] = {
    "an error event": sends(HEAD, chunked(b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'), b"0\r\n\r\n"),
    "nothing": sends(HEAD, b"0\r\n\r\n"),
    "only done": sends(HEAD, chunked(DONE), b"0\r\n\r\n"),
    "only a comment": sends(HEAD, chunked(b": wait\n\n"), b"0\r\n\r\n"),
    "closed": sends(HEAD),
    "HTML": sends(head(200, {"content-type": "text/html", "content-length": "6"}), b"<html>"),
}


@pytest.mark.parametrize("script", UNBEGUN.values(), ids=UNBEGUN.keys())
def test_a_stream_that_fails_before_its_first_event_is_another_ones_to_answer(gateway: Gateway, upstream: Upstream, script: Script) -> None:
    model = upstream.on(script, b=hello)
    answer = gateway.chat(model, stream=True)
    assert (answer.status, said(answer.body), frames(answer.body)[-1]) == (200, "hello", b"[DONE]")
    assert answer.header("x-ailb-provider") == "b"
    assert answer.header("x-ailb-attempts") == "2"


def test_with_nobody_else_the_failure_is_a_real_status(gateway: Gateway, upstream: Upstream) -> None:
    answer: Answer = gateway.chat("a/" + upstream.on(UNBEGUN["HTML"]), stream=True)
    assert answer.status == 502
    assert answer.header("content-type") == "application/json"
    assert answer.json["status_code"] == 502
