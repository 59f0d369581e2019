import asyncio
from typing import Any

import pytest
from starlette.types import Message

from ailb.errors import RateLimited
from ailb.outlet import SLICE, Outlet, collected, encoded, refuse, stamped

BEAT = b": beat\n\n"
SOON = 10.0


class Wire:
    """`send`. Holding: nothing is taken until `go`. `wanted` is set when `text` was sent."""

    def __init__(self, wanted: bytes = b"") -> None:
        self.sent: list[Message] = []
        self.go = asyncio.Event()
        self.go.set()
        self.held = asyncio.Event()
        self.wanted = wanted
        self.there = asyncio.Event()

    async def __call__(self, message: Message) -> None:
        if not self.go.is_set():
            self.held.set()
            await self.go.wait()
        self.sent.append(message)
        if self.wanted and self.wanted in self.body:
            self.there.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def watch(outlet: Outlet, *, beat: bytes = BEAT, beat_seconds: float = 0.01, write_seconds: float = 10.0) -> asyncio.Event:
    stalled = asyncio.Event()
    early = {"content-type": "text/event-stream"}
    outlet.watch(beat=beat, beat_seconds=beat_seconds, write_seconds=write_seconds, early=lambda: early, stalled=stalled.set)
    return stalled


async def test_a_whole_answer() -> None:
    wire = Wire()
    await Outlet(wire, "id").whole(200, {"x": "y"}, b"{}")
    headers = {
        b"cache-control": b"no-store",
        b"vary": b"Authorization",
        b"content-type": b"application/json",
        b"content-length": b"2",
        b"x": b"y",
        b"x-request-id": b"id",
    }
    assert headers == wire.headers
    assert [{"type": "http.response.body", "body": b"{}", "more_body": False}] == wire.sent[1:]


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE, 3 * SLICE + 1])
async def test_a_large_answer_goes_out_in_slices(size: int) -> None:
    wire = Wire()
    body = bytes(index % 251 for index in range(size))
    await Outlet(wire, "id").whole(200, {}, body)
    assert body == wire.body
    assert max(1, -(-size // SLICE)) == len(wire.sent) - 1
    assert [True] * (len(wire.sent) - 2) + [False] == [message["more_body"] for message in wire.sent[1:]]


async def test_a_stream() -> None:
    wire = Wire()
    outlet = Outlet(wire, "id")
    assert (None, False) == (outlet.status, outlet.started)
    await outlet.start(202, {})
    await outlet.write(b"a")
    await outlet.finish(b"b")
    assert (202, True) == (outlet.status, outlet.started)
    assert [(b"a", True), (b"b", False)] == [(message["body"], message["more_body"]) for message in wire.sent[1:]]


@pytest.mark.parametrize("begun", [True, False])
async def test_heartbeats_come_again_and_again_while_nothing_else_does(begun: bool) -> None:
    wire = Wire(BEAT * 3)
    outlet = Outlet(wire, "id")
    watch(outlet)
    if begun:
        await outlet.start(200, {})
    await asyncio.wait_for(wire.there.wait(), SOON)
    await outlet.finish(b"end")
    assert (200, begun) == (wire.sent[0]["status"], b"content-type" not in wire.headers)
    assert wire.body.replace(BEAT, b"") == b"end"
    assert outlet._timer is None


async def test_a_heartbeat_that_is_being_sent_goes_before_what_comes_next() -> None:
    wire = Wire()
    outlet = Outlet(wire, "id")
    await outlet.start(200, {})
    wire.go.clear()
    watch(outlet)
    await asyncio.wait_for(wire.held.wait(), SOON)
    writing = asyncio.create_task(outlet.write(b"a"))
    await asyncio.sleep(0)
    wire.go.set()
    await asyncio.wait_for(writing, SOON)
    await outlet.finish(b"")
    assert wire.body.startswith(BEAT + b"a")


async def test_two_heartbeats_are_never_on_their_way_at_once() -> None:
    wire = Wire(BEAT)
    wire.go.clear()
    outlet = Outlet(wire, "id")
    watch(outlet)
    await asyncio.wait_for(wire.held.wait(), SOON)
    turn = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, turn.set)
    await turn.wait()
    assert wire.sent == []
    wire.go.set()
    await asyncio.wait_for(wire.there.wait(), SOON)
    await outlet.finish(b"")
    assert [message["type"] for message in wire.sent].count("http.response.start") == 1


async def test_a_client_that_takes_nothing_is_told_about_once() -> None:
    wire = Wire()
    outlet = Outlet(wire, "id")
    told: list[bool] = []
    outlet.watch(beat=BEAT, beat_seconds=0.01, write_seconds=0.02, early=dict, stalled=lambda: told.append(True))
    await outlet.start(200, {})
    wire.go.clear()
    writing = asyncio.create_task(outlet.write(b"a"))
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, later.set)
    await later.wait()
    assert [True] == told
    writing.cancel()
    outlet.stop()


async def test_no_heartbeat_overtakes_a_head_that_the_client_does_not_take() -> None:
    wire = Wire()
    wire.go.clear()
    outlet = Outlet(wire, "id")
    stalled = watch(outlet, write_seconds=0.05)
    starting = asyncio.create_task(outlet.start(200, {}))
    await asyncio.wait_for(stalled.wait(), SOON)
    wire.go.set()
    await asyncio.wait_for(starting, SOON)
    await outlet.finish(b"end")
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in wire.sent]
    assert b"end" == wire.body


async def test_without_a_heartbeat_nothing_is_sent_and_the_watch_sleeps() -> None:
    wire = Wire()
    outlet = Outlet(wire, "id")
    loop = asyncio.get_running_loop()
    stalled = watch(outlet, beat=b"", beat_seconds=0.01, write_seconds=3600.0)
    turn = asyncio.Event()
    loop.call_later(0.05, turn.set)
    await turn.wait()
    assert outlet._timer is not None
    assert (False, []) == (stalled.is_set(), wire.sent)
    assert outlet._timer.when() > loop.time()
    outlet.stop()


async def test_what_was_stopped_does_not_beat() -> None:
    wire = Wire()
    outlet = Outlet(wire, "id")
    watch(outlet, beat_seconds=0.0)
    while outlet._beating is None:
        await asyncio.sleep(0)
    outlet.stop()
    await outlet.whole(503, {}, b"{}")
    while outlet._beating is not None:
        await asyncio.sleep(0)
    assert [503, b"{}"] == [wire.sent[0]["status"], wire.body]


async def test_cancellation_while_a_heartbeat_waits_leaves_the_outlet_usable() -> None:
    wire = Wire()
    outlet = Outlet(wire, "id")
    await outlet.start(200, {})
    wire.go.clear()
    watch(outlet)
    await asyncio.wait_for(wire.held.wait(), SOON)
    writing = asyncio.create_task(outlet.write(b"a"))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    wire.go.set()
    await asyncio.wait_for(outlet.finish(b"end"), SOON)
    assert wire.body == b"end"


@pytest.mark.parametrize("close", [True, False])
async def test_a_refusal(close: bool) -> None:
    wire = Wire()
    refusal = RateLimited("slow", headers={"retry-after": "3"})
    await refuse(wire, refusal, "id", close=close)
    assert (429, b"3", close) == (wire.sent[0]["status"], wire.headers[b"retry-after"], b"connection" in wire.headers)
    assert b'"detail":"slow"' in wire.body


async def test_a_refusal_in_another_shape() -> None:
    wire = Wire()
    await refuse(wire, RateLimited("slow"), "id", body=b"own")
    assert wire.body == b"own"


@pytest.mark.parametrize(
    ("value", "sent"),
    [("plain", b"plain"), ("a\r\nb: c", b"ab: c"), ("\x00\x1b", b""), ("caf\xe9", b"caf\xe9"), ("日本", b"??"), ("a\tb", b"ab"), ("", b"")],
)
def test_a_value_that_http_cannot_carry_loses_what_does_not_fit(value: str, sent: bytes) -> None:
    assert [(b"x", sent)] == encoded({"x": value})


async def test_other_answers_get_their_id_and_may_not_be_kept() -> None:
    wire = Wire()
    send = stamped({"ailb.id": "id"}, wire)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=1")]})
    await send({"type": "http.response.body"})
    expected: list[Any] = [(b"cache-control", b"max-age=1"), (b"vary", b"Authorization"), (b"x-request-id", b"id")]
    assert expected == wire.sent[0]["headers"]


async def test_for_http_1_0_a_stream_is_held_back_until_its_length_is_known() -> None:
    wire = Wire()
    outlet = Outlet(collected(wire), "id")
    await outlet.start(200, {"content-type": "text/event-stream"})
    await outlet.write(b"a")
    assert wire.sent == []
    await outlet.finish(b"b")
    assert (b"2", b"ab", 2) == (wire.headers[b"content-length"], wire.body, len(wire.sent))


async def test_for_http_1_0_a_whole_answer_has_one_length() -> None:
    wire = Wire()
    await Outlet(collected(wire), "id").whole(200, {}, b"{}")
    assert [b"2"] == [value for name, value in wire.sent[0]["headers"] if name == b"content-length"]
