"""Many at once (FAULTS B17, FIDELITY 9): nothing is lost, doubled or crossed, and no pool is the bottleneck."""

import asyncio
from random import Random

from tests.e2e.gateway import Gateway
from tests.e2e.raw import Client, request
from tests.e2e.scripts import hello
from tests.e2e.upstream import Flag, Script, Talk, Upstream
from tests.e2e.wire import DONE, STOP, asked, chunked, completion, frames, head, said, token

HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})


def sliced(name: str, tokens: int) -> Script:
    """A stream of numbered tokens in slices of 1 to 7 bytes, which takes turns with the other streams at each slice."""

    async def script(talk: Talk) -> None:
        dice = Random(name)
        events = [token(f"{name}:{n} ") for n in range(tokens)]
        body = HEAD + b"".join(map(chunked, [*events, STOP, DONE])) + b"0\r\n\r\n"
        while body:
            size = dice.randint(1, 7)
            await talk.raw(body[:size])
            body = body[size:]
            await asyncio.sleep(0)

    return script


async def _ask(port: int, body: bytes) -> tuple[bytes, bytes]:
    """Head and body of one answer; the connection is closed by the other side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("POST", "/v1/chat/completions", body, {"connection": "close"}))
    answer = await reader.read()
    while piece := await reader.read():
        answer += piece
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    return head, content


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole


async def test_two_hundred_streams_do_not_mix(gateway: Gateway, upstream: Upstream) -> None:
    models = [upstream.on(sliced(f"s{n}", 5)) for n in range(200)]
    answers = await asyncio.gather(*[_ask(gateway.port, asked(model, stream=True)) for model in models])
    bodies = [_dechunked(content) for _, content in answers]
    assert [said(body) for body in bodies] == ["".join(f"s{n}:{i} " for i in range(5)) for n in range(200)]
    assert {frames(body)[-1] for body in bodies} == {b"[DONE]"}


def meeting(everyone: int, full: Flag) -> Script:
    """Answers nobody until that many are there."""
    present = 0

    async def script(talk: Talk) -> None:
        nonlocal present
        present += 1
        if present == everyone:
            full.set()
        await full.reached()
        await hello(talk)

    return script


async def test_two_hundred_calls_are_upstream_at_the_same_time(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(meeting(200, upstream.flag()))
    answers = await asyncio.gather(*[_ask(gateway.port, asked(model)) for _ in range(200)])
    assert {head[9:12] for head, _ in answers} == {b"200"}


def test_many_idle_and_half_open_connections_block_nobody(gateway: Gateway, upstream: Upstream) -> None:
    """FAULTS F5 with a number that suits a test run."""
    model = upstream.on(hello)
    idle = [Client(gateway.port) for _ in range(300)]
    try:
        for number, client in enumerate(idle):
            if number % 3 == 1:
                client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: local")
            elif number % 3 == 2:
                client.send(request("POST", "/v1/chat/completions", b"", {"content-length": "10"}))
        answer = gateway.chat(model)
        assert (answer.status, answer.json["choices"]) == (200, completion("hello")["choices"])
    finally:
        for client in idle:
            client.close()
