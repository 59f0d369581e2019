"""Between HTTP and the onion: opens an exchange, relays its reply, and settles it, however it ends.

Two facts decide this code. If cancellation lands inside `send()`, nobody closes the generators: so the edge closes the upstream. The
server's `send()` never fails after a hang-up, only `receive()` tells: so a watcher waits on it beside the work, for whole answers too.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from ailb import answer_headers
from ailb.deadline import Deadline
from ailb.dialect import Event, Speech
from ailb.drain import Draining
from ailb.errors import InternalError, Refusal, Unavailable
from ailb.exchange import Attempt, Exchange, Reply, Status
from ailb.gateway import Gateway
from ailb.intake import ClientLeft, read_body
from ailb.loader import Snapshot
from ailb.outlet import SLICE, Outlet, collected, refuse
from ailb.settling import Settling
from ailb.strict import parse

LOG = structlog.get_logger("ailb.edge")
SHED_SECONDS: Final = 0.05
MOST_UNREAD: Final = 65_536
UNHEARD: Final = 499
"""The status of an answer whose client left before any of it went out, as nginx has it."""


class Edge:
    """The ASGI endpoint for clients of one speech."""

    def __init__(self, speech: Speech, gateway: Gateway) -> None:
        self._speech = speech
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        id: str = scope["ailb.id"]
        try:
            live = self._gateway.admit()
        except Unavailable as refusal:
            await self._shed(send, scope, refusal)
            return
        outlet = Outlet(collected(send) if scope["http_version"] == "1.0" else send, id)
        try:
            exchange = await self._open(scope, receive, live.snapshot)
            await _Service(self._speech, self._gateway, exchange, outlet, receive).run(live.snapshot)
        except Refusal as refusal:
            await self._refuse(send, scope, refusal)
        except ClientLeft:
            LOG.info("disconnected", id=id, path=scope["path"])
        # Nothing stands around an edge that could answer for a bug.
        except Exception:
            LOG.exception("bug", id=id, path=scope["path"])
            if outlet.started:
                raise
            await self._refuse(send, scope, InternalError("internal error"))
        finally:
            self._gateway.release(live)

    async def _open(self, scope: Scope, receive: Receive, snapshot: Snapshot) -> Exchange:
        headers: Mapping[str, str] = scope["ailb.headers"]
        server = snapshot.config.server
        limit = Deadline(server.body_seconds, self._gateway.rounds)
        body = await read_body(receive, headers, most=server.max_body_bytes, limit=limit, setting="server.max_body_bytes")
        prompt = self._speech.prompt(parse(body), headers)
        prompt.received = self._gateway.now()
        peer = scope.get("client") or ("", 0)
        exchange = Exchange(prompt, id=scope["ailb.id"], path=scope["path"], headers=headers, peer=peer[0])
        exchange.via = self._gateway.via(headers.get("via", ""))
        return exchange

    async def _shed(self, send: Send, scope: Scope, refusal: Refusal) -> None:
        """Not in an instant: who asks again and again would take the time of those who are served. A small body is there by then, so that
        the connection can be used again, and the next refusal costs less than a new connection.
        """
        if self._gateway.draining:
            await self._refuse(send, scope, refusal)
            return
        await asyncio.sleep(SHED_SECONDS)
        length = scope["ailb.headers"].get("content-length", "")
        await self._refuse(send, scope, refusal, close=not length.isdecimal() or int(length[:9]) > MOST_UNREAD)

    async def _refuse(self, send: Send, scope: Scope, refusal: Refusal, *, close: bool = True) -> None:
        """Before there was an exchange. The body may be unread, so the connection is not used again."""
        LOG.info("refused", id=scope["ailb.id"], path=scope["path"], status=refusal.status, error=refusal.message)
        close = close and scope["http_version"] != "2"
        await refuse(send, refusal, scope["ailb.id"], body=self._speech.error(refusal), close=close)


class _Service:
    """One exchange being served."""

    def __init__(self, speech: Speech, gateway: Gateway, exchange: Exchange, outlet: Outlet, receive: Receive) -> None:
        self._speech = speech
        self._gateway = gateway
        self._exchange = exchange
        self._outlet = outlet
        self._receive = receive
        self._encoder = speech.encoder(exchange.prompt) if exchange.prompt.stream else None
        self._task = asyncio.current_task()
        self._reply: Reply | None = None
        self._settling = Settling(exchange, gateway)
        self._cut: Refusal | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._draining: Draining | None = None
        self._left = self._over = self._cancelling = False

    async def run(self, snapshot: Snapshot) -> None:
        self._gateway.rounds.add(self)
        self._gateway.serving.add(self)
        try:
            await self._serve(snapshot)
            self._end("disconnected" if self._left else "complete")
        except Refusal as refusal:
            await self._refuse(refusal)
        except asyncio.CancelledError:
            if not await self._cancelled():
                raise
        # A bug in a layer must not take the exchange's settlement with it, nor tell the client what it was.
        except Exception:
            LOG.exception("bug", id=self._exchange.id, path=self._exchange.path)
            await self._refuse(InternalError("internal error"))
        finally:
            self._over = True
            self._gateway.rounds.discard(self)
            if self._watcher is not None:
                self._watcher.cancel()
                self._watcher = None  # whose frame has this: a cycle would keep the whole exchange until the collector comes by
            self._outlet.stop()
            if self._reply is not None and self._draining is not None and self._settling.outcome.status == "disconnected":
                await asyncio.shield(self._gateway.background(self._drain(self._reply, self._draining)))
            else:
                await self._finish()

    def cut(self, refusal: Refusal) -> None:
        """Ends the exchange from outside: with this error if the client still listens."""
        if self._draining is not None:
            self._draining.stop()
        if not self._over:
            self._cut = refusal
            self._cancel()

    async def _serve(self, snapshot: Snapshot) -> None:
        server = snapshot.config.server
        if self._encoder is not None:
            self._outlet.watch(
                beat=self._speech.heartbeat,
                beat_seconds=server.heartbeat_seconds,
                write_seconds=server.write_seconds,
                early=lambda: answer_headers.early(self._speech),
                stalled=self._leave,
            )
        reply = self._reply = await snapshot.call(self._exchange)
        if self._left:
            return
        if self._encoder is None:
            await self._whole(reply, server.write_seconds)
            return
        await self._stream(reply, self._encoder.feed)
        self._over = True
        await self._outlet.finish(self._encoder.end())

    async def _whole(self, reply: Reply, write_seconds: float) -> None:
        body = b""
        async for batch in reply:
            self._settling.see(batch)
            for event in batch:
                body = self._speech.whole(self._exchange.prompt, event)
            if body:
                break  # an answer that is not streamed is a stream of one
        self._over = True
        if len(body) > SLICE:
            self._outlet.watch(beat=b"", beat_seconds=write_seconds, write_seconds=write_seconds, early=dict, stalled=self._leave)
        await self._outlet.whole(reply.status, answer_headers.of(self._exchange, reply.headers), body)

    async def _stream(self, reply: Reply, encode: Callable[[Event], bytes]) -> None:
        outlet, see = self._outlet, self._settling.see
        async for batch in reply:
            see(batch)
            data = encode(batch[0]) if len(batch) == 1 else b"".join([encode(event) for event in batch])
            del batch  # or a stream that waits for its next batch would hold the last
            if not data:
                continue
            if not outlet.started:
                await outlet.start(reply.status, answer_headers.of_stream(self._exchange, self._speech, reply.headers))
            await outlet.write(data)
        if not outlet.started:
            await outlet.start(reply.status, answer_headers.of_stream(self._exchange, self._speech, reply.headers))

    def late(self) -> None:
        """From now on the hang-up is watched for. That takes a task, which an answer that is there before does not need to pay for."""
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """The request was read to its end, so the next thing that comes is the hang-up."""
        while (await self._receive())["type"] != "http.disconnect":
            continue
        if not self._over:
            self._leave()

    def _leave(self) -> None:
        """The client hung up. One that takes nothing is gone too, whatever its socket says; the last bytes are no exception.

        An answer of which nothing is there yet is awaited further by whoever awaits it already, where a provider wants that.
        """
        if self._left:
            return
        self._left = True
        self._outlet.stop()
        exchange = self._exchange
        drain = next((attempt.drain for attempt in exchange.attempts if attempt.drain is not None and not attempt.over), None)
        if drain is not None:
            self._draining = Draining(drain, self._give_up)
            exchange.unheard = self._draining.took
            exchange.attempt_hooks.insert(0, self._no_more)
        if drain is None or self._reply is not None:
            self._cancel()

    async def _no_more(self, attempt: Attempt) -> None:
        """Nobody is there to hear another answer. Whoever asks for one waits here for being cancelled, if need be until it has been enough:
        an attempt beside it may still be under way.
        """
        if all(made.over for made in self._exchange.attempts):
            self._cancel()
        await asyncio.get_running_loop().create_future()

    def _give_up(self) -> None:
        """Not before the task waits again: it may be the one that calls this, on its way to the end."""
        asyncio.get_running_loop().call_soon(lambda: None if self._over else self._cancel())

    def _cancel(self) -> None:
        if self._task is not None and not self._cancelling:
            self._cancelling = True
            self._task.cancel()

    async def _cancelled(self) -> bool:
        """Whether the cancellation was ours, and is dealt with; if not, the server is being torn down."""
        if self._task is None or not (self._left or self._cut):
            self._end("broken")
            return False
        self._cancelling = False
        self._task.uncancel()
        if self._left or self._cut is None:
            self._end("disconnected")
        else:
            await self._refuse(self._cut)
        return True

    async def _refuse(self, refusal: Refusal) -> None:
        self._over = True
        self._settling.outcome.refusal = refusal
        if self._left:
            self._end("disconnected")
            return
        if self._outlet.started:
            self._end("broken")
            if self._encoder is not None:
                await self._outlet.finish(self._encoder.error(refusal))
            return
        self._outlet.stop()
        self._end("refused", refusal.status)
        headers = answer_headers.of(self._exchange, refusal.headers)
        await self._outlet.whole(refusal.status, headers, self._speech.error(refusal))

    def _end(self, status: Status, http_status: int = 200) -> None:
        self._over = True
        if status == "disconnected" and not self._outlet.started:
            http_status = UNHEARD
        self._settling.end(status, http_status)

    async def _drain(self, reply: Reply, draining: Draining) -> None:
        try:
            await draining.read(reply, self._settling.see)
        # A bug in a layer that looks at events must not take the settlement with it.
        except Exception:
            LOG.exception("bug", id=self._exchange.id, path=self._exchange.path)
        await self._finish()

    async def _finish(self) -> None:
        if self._draining is not None:
            self._draining.close()
        if self._reply is not None:
            self._reply.close()
        self._gateway.serving.discard(self)
        self._exchange.attempt_hooks.clear()  # which have the exchange, as above
        await self._settling.run()
