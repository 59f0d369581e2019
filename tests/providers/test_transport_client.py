import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from gzip import compress

import aiohttp
import pytest
from yarl import URL

from providers import transport_client
from providers.transport_client import Answer, Client, Stale
from tests.providers.lines import SOON, Peer, Server, counts, hello, serving

LARGE = bytes(range(256)) * 20_000


@asynccontextmanager
async def client(server: Server) -> AsyncIterator[tuple[Client, URL]]:
    made = Client({"x-fixed": "f"}, connect_seconds=SOON, local=True)
    try:
        yield made, URL(f"http://127.0.0.1:{server.port}/chat")
    finally:
        await made.close()


async def read(answer: Answer) -> bytes:
    return await answer.content.read()


async def test_what_goes_out() -> None:
    async with serving(hello) as server, client(server) as (asking, url):
        await read(await asking.ask("POST", url, b"{}", {"x-own": "o", "accept": "a/b"}, "1.1 me"))
        await read(await asking.ask("GET", url))
        port = server.port
    same = {"host": f"127.0.0.1:{port}", "x-fixed": "f"}
    assert [
        ("POST /chat HTTP/1.1", {**same, "accept": "a/b", "x-own": "o", "via": "1.1 me", "content-length": "2"}, b"{}"),
        ("GET /chat HTTP/1.1", {**same, "accept": "*/*"}, b""),
    ] == server.requests


@pytest.mark.parametrize("size", [transport_client.JOINED_BYTES, transport_client.JOINED_BYTES + 1, 5_000_000])
async def test_a_body_of_any_size_goes_out(size: int) -> None:
    async with serving(hello) as server, client(server) as (asking, url):
        assert b"hello" == await read(await asking.ask("POST", url, b"x" * size))
        assert size == len(server.requests[0][2])


@pytest.mark.parametrize("value", ["a\r\nx-evil: b", "a\nb", "a\rb", "a\0b", "a\r\n\r\nGET / HTTP/1.1"])
@pytest.mark.parametrize("name", ["x-own", "via"])
async def test_a_header_cannot_become_two(name: str, value: str) -> None:
    async with serving(hello) as server, client(server) as (asking, url):
        own, via = ({}, value) if name == "via" else ({name: value}, "")
        with pytest.raises(ValueError, match="line break"):
            await asking.ask("POST", url, b"{}", own, via)
        assert [] == server.requests


async def test_what_the_upstream_says_before_its_answer_is_passed_over() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await hello(peer)

    async with serving(script) as server, client(server) as (asking, url):
        answer = await asking.ask("POST", url, b"{}")
        assert (200, b"hello") == (answer.status, await read(answer))


async def test_a_pooled_connection_that_was_closed_is_stale_and_a_fresh_one_is_not() -> None:
    async def script(peer: Peer, *_: object) -> None:
        if len(server.requests) > 1:
            raise ConnectionError
        await hello(peer)

    async with serving(script) as server, client(server) as (asking, url):
        await read(await asking.ask("POST", url, b"{}"))
        with pytest.raises(Stale) as stale:
            await asking.ask("POST", url, b"{}")
        assert isinstance(stale.value.lost, aiohttp.ServerDisconnectedError)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await asking.ask("POST", url, b"{}")
        assert 2 == len(server.peers)


async def halting(peer: Peer, *_: object) -> None:
    """A stream that begins, and goes on when the client has left: never."""
    await peer.stream(b"one", end=False)
    await peer.reader.read()
    raise ConnectionError


async def test_who_closes_an_answer_tells_its_reader_and_the_upstream() -> None:
    async with serving(halting) as server, client(server) as (asking, url):
        answer = await asking.ask("POST", url, b"{}")
        assert b"one\n" == await answer.content.readany()
        reading = asyncio.create_task(answer.content.readany())
        await asyncio.sleep(0)
        answer.close()
        answer.close()
        with pytest.raises(aiohttp.ClientConnectionError):
            await reading
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


@pytest.mark.parametrize(("coding", "sent"), [("identity", LARGE), ("gzip", compress(LARGE))])
async def test_a_large_answer_that_is_read_slowly_is_whole(coding: str, sent: bytes) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.send(f"HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {len(sent)}\r\n\r\n".encode() + sent)

    async with serving(script) as server, client(server) as (asking, url):
        answer = await asking.ask("POST", url, b"{}")
        parts: list[bytes] = []
        while not parts or parts[-1]:
            await asyncio.sleep(0)  # more comes meanwhile than is held, so that the connection is paused
            while (coming := answer.coming()) is not None:
                await coming
            parts.append(answer.content.read_nowait())
        assert LARGE == b"".join(parts)


@pytest.mark.parametrize("status", [200, 204])
async def test_nothing_is_waited_for_where_nothing_comes(status: int) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(b"", status)

    async with serving(script) as server, client(server) as (asking, url):
        answer = await asking.ask("POST", url, b"{}")
        assert (None, b"") == (answer.coming(), answer.content.read_nowait())


async def test_who_waits_is_told_that_the_answer_was_closed() -> None:
    async with serving(halting) as server, client(server) as (asking, url):
        answer = await asking.ask("POST", url, b"{}")
        assert b"one\n" == await answer.content.readany()
        coming = answer.coming()
        assert coming is not None
        answer.close()
        with pytest.raises(aiohttp.ClientConnectionError):
            await coming
        assert answer.coming() is None
        with pytest.raises(aiohttp.ClientConnectionError):
            answer.content.read_nowait()


async def test_an_answer_that_came_before_its_request_was_taken_leaves_no_half_request_in_the_pool() -> None:
    class Impatient(Server):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = Peer(reader, writer, len(self.peers))
            self.peers.append(peer)
            await reader.readuntil(b"\r\n\r\n")
            await peer.answer(b"no", 413)
            await asyncio.sleep(SOON)

    server = Impatient(hello)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with client(server) as (asking, url):
        for number in (1, 2):
            answer = await asking.ask("POST", url, b"x" * 50_000_000)
            assert (413, b"no", number) == (answer.status, await read(answer), len(server.peers))
    listening.close()
    for peer in server.peers:
        peer.writer.transport.abort()


@pytest.mark.parametrize("together", [True, False])
async def test_what_nobody_asked_for_is_no_answer(together: bool) -> None:
    unasked = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 7\r\n\r\nunasked"
    heard = asyncio.Event()

    async def script(peer: Peer, *_: object) -> None:
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nanswer %d" % len(server.requests)
        if len(server.requests) > 1:
            await peer.send(answer)
        elif together:
            await peer.send(answer + unasked)
        else:
            await peer.send(answer)
            await heard.wait()
            await peer.send(unasked)

    async with serving(script) as server, client(server) as (asking, url):
        assert b"answer 1" == await read(await asking.ask("POST", url, b"{}"))
        heard.set()
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)
        for number in (2, 3):
            assert b"answer %d" % number == await read(await asking.ask("POST", url, b"{}"))
        assert 2 == len(server.peers)


def transports(port: int) -> int:
    """To a server."""
    found = [one for one in gc.get_objects() if isinstance(one, asyncio.Transport)]
    return sum((one.get_extra_info("peername") or (None, None))[1] == port for one in found)


async def test_a_connection_that_is_closed_is_gone_without_the_collector() -> None:
    async with serving(halting) as server, client(server) as (asking, url):
        gc.collect()
        gc.disable()
        try:
            answer = await asking.ask("POST", url, b"{}")
            assert b"one\n" == await answer.content.readany()
            assert 1 == transports(server.port)
            answer.close()
            del answer
            async with asyncio.timeout(SOON):
                while transports(server.port):
                    await asyncio.sleep(0.001)
        finally:
            gc.enable()


async def test_a_whole_answer_gives_its_connection_back() -> None:
    async with serving(counts) as server, client(server) as (asking, url):
        for _ in range(3):
            answer = await asking.ask("POST", url, b"{}")
            assert b"one\ntwo\nend\n" == await read(answer)
            answer.close()
        assert (1, 3) == (len(server.peers), len(server.requests))


def test_idle_connections_go_before_the_upstream_closes_them() -> None:
    assert transport_client.POOLED_SECONDS < 60
