import asyncio
import gzip
import socket
from dataclasses import replace
from typing import Any

import pytest

from ailb.errors import Refusal, UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Drain
from ailb.provider import Auth, Settings
from ailb.secret import Secret
from ailb.testing import ask
from providers.transport import HttpProvider
from tests.providers.lines import KEY, SOON, TARGET, Lines, Peer, asked, counts, hello, provider, serving, silent, told


async def test_what_goes_out() -> None:
    async with serving(hello) as server, provider(server.port, headers={"x-org": Secret("o")}, query={"v": "1"}) as up:
        exchange = ask(headers={"cookie": "c", "authorization": "Bearer client", "x-user-id": "u"})
        exchange.via = "1.1 ailb-x"
        reply = await asked(up, exchange=exchange)
        assert [b"hello"] == await told(reply)
        assert {"x-ratelimit-limit": "9"} == reply.headers
        ((line, headers, body),) = server.requests
    assert ("POST /v1/chat?v=1 HTTP/1.1", b'{"model":"m"}') == (line, body)
    agent = headers.pop("user-agent")
    assert agent.startswith("ailb/")
    assert {
        "host": f"127.0.0.1:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": "13",
        "authorization": f"Bearer {KEY}",
        "x-org": "o",
        "x-dialect": "lines",
        "via": "1.1 ailb-x",
    } == headers


@pytest.mark.parametrize(
    ("auth", "header"), [("bearer", ("authorization", f"Bearer {KEY}")), ("api-key", ("api-key", KEY)), ("x-api-key", ("x-api-key", KEY))]
)
async def test_the_header_that_carries_the_key(auth: Auth, header: tuple[str, str]) -> None:
    async with serving(hello) as server, provider(server.port, auth=auth) as up:
        await asked(up)
        assert header in server.requests[0][1].items()


async def test_no_key_where_none_is_wanted() -> None:
    async with serving(hello) as server, provider(server.port, auth="none") as up:
        await asked(up)
        assert KEY not in str(server.requests)


KEYS = ["first-key-of-three", "second-key-of-three", "third-key-of-three"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_target_is_asked_with_the_key_in_its_place(stream: bool) -> None:
    async with serving(counts if stream else hello) as server, provider(server.port, keys=KEYS) as up:
        for credential in (0, 1, 2, 1):
            await told(await asked(up, stream=stream, target=replace(TARGET, credential=credential)))
        assert [f"Bearer {KEYS[n]}" for n in (0, 1, 2, 1)] == [headers["authorization"] for _, headers, _ in server.requests]


@pytest.mark.parametrize("credential", [0, 2])
@pytest.mark.parametrize("status", [401, 500])
async def test_an_error_shows_none_of_the_keys(credential: int, status: int) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(" ".join(KEYS).encode(), status)

    async with serving(script) as server, provider(server.port, keys=KEYS) as up:
        with pytest.raises(UpstreamRefusal) as caught:
            await asked(up, target=replace(TARGET, credential=credential))
    assert "[hidden] [hidden] [hidden]" == caught.value.message


TOLD: dict[str, Any] = {"headers": {"x-org": Secret("org-canary")}, "query": {"code": "a/canary+"}}


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("listed", [True, False])
async def test_an_error_shows_nothing_of_what_the_upstream_was_told(status: int, listed: bool) -> None:
    async def script(peer: Peer, first: str, headers: dict[str, str], _: bytes) -> None:
        url = f"http://{headers['host']}{first.split()[1]}"
        await peer.answer(f"{headers['x-org']} asked for {url}".encode(), status)

    async with serving(script) as server, provider(server.port, **TOLD) as up:
        with pytest.raises(UpstreamRefusal) as caught:
            await (up.models() if listed else asked(up))
    assert f"[hidden] asked for [hidden]/{'models' if listed else 'chat'}?code=[hidden]" == caught.value.message


@pytest.mark.parametrize("stream", [True, False])
async def test_the_headers_of_an_answer_show_nothing_of_it_either(stream: bool) -> None:
    async def script(peer: Peer, _: str, headers: dict[str, str], __: bytes) -> None:
        await peer.answer(b"one\nend\n", headers=f"x-ratelimit-limit: {headers['x-org']}\r\n")

    async with serving(script) as server, provider(server.port, **TOLD) as up:
        reply = await asked(up, stream=stream)
        assert {"x-ratelimit-limit": "[hidden]"} == reply.headers
        reply.close()


@pytest.mark.parametrize(
    ("bad", "used"),
    [(set(), 1), ({KEYS[0]}, 2), ({KEYS[0], KEYS[1]}, 3)],
)
async def test_models_are_listed_with_the_first_key_that_is_good_for_it(bad: set[str], used: int) -> None:
    async def script(peer: Peer, _: str, headers: dict[str, str], *__: object) -> None:
        refused = headers["authorization"].removeprefix("Bearer ") in bad
        await peer.answer(b"a b", 401 if refused else 200)

    async with serving(script) as server, provider(server.port, keys=KEYS) as up:
        assert ["a", "b"] == await up.models()
        assert [f"Bearer {key}" for key in KEYS[:used]] == [headers["authorization"] for _, headers, _ in server.requests]


async def test_models_that_no_key_is_good_for() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(KEYS[0].encode(), 403)

    async with serving(script) as server, provider(server.port, keys=KEYS) as up:
        with pytest.raises(UpstreamRefusal, match=r"^\[hidden\]$"):
            await up.models()
        assert 3 == len(server.requests)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_connection_is_used_again_after_its_answer_was_read(stream: bool) -> None:
    async with serving(counts if stream else hello) as server, provider(server.port) as up:
        for _ in range(3):
            reply = await asked(up, stream=stream)
            assert (await told(reply)) == ([b"one", b"two"] if stream else [b"hello"])
            reply.close()
        assert (1, 3) == (len(server.peers), len(server.requests))


async def test_cookies_are_not_kept() -> None:
    async with serving(hello) as server, provider(server.port, host="localhost") as up:
        for _ in range(2):
            await asked(up)
        assert ["cookie" in headers for _, headers, _ in server.requests] == [False, False]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("stream", [True, False])
async def test_redirects_are_not_followed(status: int, stream: bool) -> None:
    async with serving(hello) as other:

        async def script(peer: Peer, *_: object) -> None:
            await peer.answer(b"", status, headers=f"location: http://127.0.0.1:{other.port}/\r\n")

        async with serving(script) as server, provider(server.port) as up:
            with pytest.raises(UpstreamBroken, match=f"status {status}"):
                await asked(up, stream=stream)
        assert other.requests == []


@pytest.mark.parametrize("status", [201, 204, 206])
async def test_another_2xx_is_no_answer(status: int) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(b"" if status == 204 else b"x", status)

    async with serving(script) as server, provider(server.port) as up:
        with pytest.raises(UpstreamBroken):
            await asked(up)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
async def test_an_error_status_is_the_dialects_to_read(status: int, stream: bool) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(b"no", status)

    async with serving(script) as server, provider(server.port) as up:
        with pytest.raises(UpstreamRefusal) as refused:
            await asked(up, stream=stream)
        assert (status, "no") == (refused.value.status, refused.value.message)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_socket_that_was_closed_while_it_was_idle_is_no_ones_error(stream: bool) -> None:
    """FAULTS C5: the upstream takes the second request on a kept connection and closes it without a word."""

    async def script(peer: Peer, *_: object) -> None:
        if peer.number == 0 and len(server.requests) == 2:
            raise ConnectionError
        await (counts if stream else hello)(peer)

    async with serving(script) as server, provider(server.port) as up:
        await told(await asked(up, stream=stream))
        exchange = ask(stream=stream)
        reply = await asked(up, exchange=exchange)
        assert (await told(reply)) == ([b"one", b"two"] if stream else [b"hello"])
        reply.close()
        assert (2, 3, True) == (len(server.peers), len(server.requests), exchange.notes["resent"])


async def test_a_fresh_socket_that_is_closed_is_not_tried_again() -> None:
    async def script(peer: Peer, *_: object) -> None:
        raise ConnectionError

    async with serving(script) as server, provider(server.port) as up:
        with pytest.raises(UpstreamSilent, match="no connection: closed by the upstream") as caught:
            await asked(up)
        assert (1, True) == (len(server.requests), caught.value.sent)


async def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # but does not listen
        async with provider(taken.getsockname()[1]) as up:
            with pytest.raises(UpstreamSilent) as caught:
                await asked(up)
    assert caught.value.sent is False


async def test_an_upstream_that_says_nothing_is_left_after_the_total_time() -> None:
    async with serving(silent) as server, provider(server.port, timeouts={"total": 0.05}) as up:
        with pytest.raises(UpstreamSilent, match=r"no answer within 0\.05 seconds") as caught:
            await asked(up)
        assert caught.value.sent
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_stream_without_a_first_event_is_left_after_its_time(begun: bool) -> None:
    async def script(peer: Peer, *_: object) -> None:
        if begun:
            await peer.stream(b"", end=False)
        await silent(peer)

    async with serving(script) as server, provider(server.port, timeouts={"first_token": 0.05}) as up:
        with pytest.raises(UpstreamSilent, match=r"no answer within 0\.05 seconds"):
            await asked(up, stream=True)
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cancelled_request_takes_its_connection_with_it(stream: bool) -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer, *_: object) -> None:
        arrived.set()
        await silent(peer)

    async with serving(script) as server, provider(server.port) as up:
        task = asyncio.create_task(asked(up, stream=stream))
        await asyncio.wait_for(arrived.wait(), SOON)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
GZIPPED = HEAD + b"content-encoding: gzip\r\n"
BROKEN = [
    b"not http at all\r\n\r\n",
    HEAD + b"content-length: 100\r\n\r\nshort",
    CHUNKED + b"5\r\nhel",
    CHUNKED + b"zz\r\nhello\r\n",
    HEAD + b"content-length: nine\r\n\r\n",
    HEAD + b"x: " + b"y" * 1_000_000 + b"\r\n\r\n",
    GZIPPED + b"content-length: 9\r\n\r\nnot gzip!",
    GZIPPED + b"transfer-encoding: chunked\r\n\r\n5\r\n\x1f\x8b\x08\x00\x00\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("answer", BROKEN)
async def test_bytes_that_are_no_answer_are_told_as_the_upstreams_fault(answer: bytes, stream: bool) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.send(answer)
        raise ConnectionError

    async with serving(script) as server, provider(server.port) as up:
        with pytest.raises(UpstreamFailure) as failed:
            await told(await asked(up, stream=stream))
        assert failed.value.status in (502, 503)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 500])
async def test_a_bomb_is_not_unpacked(status: int) -> None:
    bomb = gzip.compress(b"\0" * 300_000_000, 9)

    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(bomb, status, headers="content-encoding: gzip\r\n")

    async with serving(script) as server, provider(server.port, max_answer_bytes=1_000_000) as up:
        with pytest.raises(UpstreamBroken, match="larger than"):
            await asked(up)
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)


async def test_an_answer_of_any_coding_is_read() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(gzip.compress(b"hello"), headers="content-encoding: gzip\r\n")

    async with serving(script) as server, provider(server.port) as up:
        assert [b"hello"] == await told(await asked(up))


def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


PLACES = ["127.0.0.1", "localhost", "[::1]", "no-such-host.invalid", "0x7f000001", "2130706433", "127.1"]


@pytest.mark.parametrize("host", PLACES)
async def test_no_error_tells_where_the_upstream_is(host: str) -> None:
    async with provider(closed_port(), host=host) as up:
        with pytest.raises(UpstreamFailure) as failed:
            await asked(up)
        told_to_clients = str(failed.value.body())
        for secret in (KEY, host.strip("[]"), "127.0.0.1", "::1", str(up.settings.base_url)):
            assert secret not in told_to_clients


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.0.0.1.",
    ],
)
async def test_an_address_of_this_network_is_not_asked_unless_that_is_meant(host: str) -> None:
    async with serving(hello) as server, provider(server.port, host=host, local=False) as up:
        with pytest.raises(Refusal):
            await asked(up)
        assert (server.requests, server.peers) == ([], [])


async def test_the_models_are_listed() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(b"a b c")

    async with serving(script) as server, provider(server.port) as up:
        assert ["a", "b", "c"] == await up.models()
        assert server.requests[0][0] == "GET /v1/models HTTP/1.1"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", b"nonsense\r\n\r\n", b"", HEAD + b"content-length: 9\r\n\r\nx"]
)
async def test_a_list_that_cannot_be_had_is_a_failure_of_the_upstream(answer: bytes) -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.send(answer)
        raise ConnectionError

    async with serving(script) as server, provider(server.port) as up:
        with pytest.raises(UpstreamFailure):
            await up.models()


async def test_a_list_that_does_not_come_in_time() -> None:
    async with serving(silent) as server, provider(server.port, timeouts={"first_token": 0.05}) as up:
        with pytest.raises(UpstreamSilent, match="in time"):
            await up.models()


async def test_who_was_not_entered_says_so() -> None:
    with pytest.raises(LookupError, match="not entered"):
        await HttpProvider(Lines(), Settings("up", "http://x"))(ask(), Attempt(TARGET, ask().prompt, 0.0))


async def test_after_the_client_left_it_is_told_how_much_comes() -> None:
    more, exchange = asyncio.Event(), ask()
    sizes: list[int] = []

    async def script(peer: Peer, *_: object) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")
        await more.wait()
        await peer.send(b"two")

    def unheard(size: int) -> None:
        sizes.append(size)
        more.set()

    exchange.unheard = unheard
    drain = Drain(SOON, 1 << 20)
    async with serving(script) as server, provider(server.port, drain=drain) as up:
        attempt = Attempt(TARGET, exchange.prompt, 0.0)
        reply = await asyncio.wait_for(up(exchange, attempt), SOON)
        assert ([b"onetwo"], [3, 3], drain) == (await told(reply), sizes, attempt.drain)


async def test_an_attempt_may_have_headers_of_its_own() -> None:
    exchange = ask()
    async with serving(hello) as server, provider(server.port) as up:
        await up(exchange, Attempt(TARGET, exchange.prompt, 0.0, headers={"traceparent": "00-1-2-01"}))
        ((_, headers, _),) = server.requests
    assert ("00-1-2-01", f"Bearer {KEY}") == (headers["traceparent"], headers["authorization"])


async def test_embeddings_are_asked_for_with_the_first_key_and_their_bytes_are_kept() -> None:
    async def script(peer: Peer, *_: object) -> None:
        await peer.answer(b'{"data": []}')

    async with serving(script) as server, provider(server.port, keys=KEYS) as up:
        assert up.embeds
        assert b'{"data": []}' == await up.embeddings("small", b'{"input": []}')
        ((line, headers, body),) = server.requests
    assert ("POST /v1/embeddings/small HTTP/1.1", b'{"input": []}') == (line, body)
    assert f"Bearer {KEYS[0]}" == headers["authorization"]


async def test_an_embeddings_request_ends_as_any_other() -> None:
    async def refuses(peer: Peer, *_: object) -> None:
        await peer.answer(f"no {KEYS[0]}".encode(), 429)

    async def larger(peer: Peer, *_: object) -> None:
        await peer.answer(b"x" * 2000)

    async with serving(refuses) as server, provider(server.port, keys=KEYS) as up:
        with pytest.raises(UpstreamRefusal, match=r"no \[hidden\]") as caught:
            await up.embeddings("small", b"{}")
    assert 429 == caught.value.status
    async with serving(larger) as server, provider(server.port, max_answer_bytes=1024) as up:
        with pytest.raises(UpstreamBroken, match="larger than 1024 bytes"):
            await up.embeddings("small", b"{}")
    async with serving(silent) as server, provider(server.port, timeouts={"total": 0.05}) as up:
        with pytest.raises(UpstreamFailure, match="no answer within"):
            await up.embeddings("small", b"{}")
