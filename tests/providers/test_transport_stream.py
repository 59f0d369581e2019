import asyncio
import gc
from typing import Any

import pytest

from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamStalled
from ailb.secret import Secret
from providers.transport_stream import Stream
from tests.providers.lines import SOON, Peer, asked, provider, serving, silent, told


@pytest.mark.parametrize(
    ("timeouts", "why"), [({"idle": 0.05}, "silent for 0.05 seconds"), ({"total": 0.05}, "not finished after 0.05 seconds")]
)
async def test_a_stream_that_stalls_is_left(timeouts: dict[str, float], why: str) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(b"one", end=False)
        await silent(peer)

    async with serving(script) as server, provider(server.port, timeouts=timeouts) as up:
        reply = await asked(up, stream=True)
        with pytest.raises(UpstreamStalled, match=why):
            await asyncio.wait_for(told(reply), SOON)
        reply.close()
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


@pytest.mark.parametrize("read", [False, True])
async def test_an_aborted_stream_takes_its_connection_with_it(read: bool) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(b"one", end=False)
        await silent(peer)

    async with serving(script) as server, provider(server.port) as up:
        reply = await asked(up, stream=True)
        if read:
            await anext(aiter(reply))
        reply.close()
        reply.close()
        assert await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


async def test_a_stream_that_is_over_is_gone_without_the_collector() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(b"one", b"end")

    gc.collect()
    gc.disable()
    try:
        async with serving(script) as server, provider(server.port) as up:
            reply = await asked(up, stream=True)
            assert [b"one"] == await asyncio.wait_for(told(reply), SOON)
            reply.close()
            del reply
            assert not [found for found in gc.get_objects() if isinstance(found, Stream)]
    finally:
        gc.enable()


async def test_a_stream_can_be_read_on_after_whoever_read_it_was_cancelled() -> None:
    more = asyncio.Event()

    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(b"one", end=False)
        await more.wait()
        await peer.send(b"4\r\ntwo\n\r\n4\r\nend\n\r\n0\r\n\r\n")

    async with serving(script) as server, provider(server.port) as up:
        reply = await asked(up, stream=True)
        first = asyncio.create_task(told(reply))
        await asyncio.wait([first], timeout=0.05)
        first.cancel()
        await asyncio.wait([first])
        more.set()
        assert [b"two"] == await asyncio.wait_for(told(reply), SOON)
        reply.close()


async def test_a_stream_that_said_its_end_is_not_waited_for_long() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(b"one", b"end", end=False)
        await silent(peer)

    async with serving(script) as server, provider(server.port) as up:
        reply = await asked(up, stream=True)
        assert [b"one"] == await asyncio.wait_for(told(reply), SOON)
        reply.close()
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


@pytest.mark.parametrize("lines", [[b"bad"], [b"end"], [b""], []])
async def test_a_stream_without_an_event_fails_before_there_is_a_reply(lines: list[bytes]) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(*lines)

    async with serving(script) as server, provider(server.port) as up:
        with pytest.raises(UpstreamRefusal if lines == [b"bad"] else UpstreamBroken):
            await asked(up, stream=True)


@pytest.mark.parametrize(("lines", "error"), [([b"one", b"bad"], UpstreamRefusal), ([b"one"], UpstreamBroken)])
async def test_an_error_inside_a_stream_comes_after_what_was_said(lines: list[bytes], error: type[UpstreamFailure]) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(*lines)

    async with serving(script) as server, provider(server.port) as up:
        reply = await asked(up, stream=True)
        seen = []
        with pytest.raises(error):
            async for batch in reply:
                seen += [event.raw for event in batch]
        reply.close()
        assert seen == [b"one"]


async def test_an_error_inside_a_stream_shows_nothing_of_what_the_upstream_was_told() -> None:
    async def script(peer: Peer, first: str, headers: dict[str, str], _: bytes) -> None:
        await peer.stream(b"one", f"bad {headers['x-org']} http://{headers['host']}{first.split()[1]}".encode())

    options: dict[str, Any] = {"headers": {"x-org": Secret("org-canary")}, "query": {"code": "a/canary+"}}
    async with serving(script) as server, provider(server.port, **options) as up:
        reply = await asked(up, stream=True)
        with pytest.raises(UpstreamRefusal) as caught:
            await told(reply)
        reply.close()
    assert "inside [hidden] [hidden]/chat?code=[hidden]" == caught.value.message


async def test_a_stream_that_is_cut_in_the_middle_says_so() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.stream(b"one", end=False)
        raise ConnectionError

    async with serving(script) as server, provider(server.port) as up:
        reply = await asked(up, stream=True)
        with pytest.raises(UpstreamBroken, match="cut"):
            await told(reply)
        reply.close()
