"""`/api/routing/explain`: what would become of a request, and why. `/api/requests/{id}`: the same of one that was made."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ailb.admin.access import Access, ApiRoute, Principal
from ailb.clients.chat import Chat
from ailb.deadline import Deadline
from ailb.errors import BadRequest, NotFound, Refusal
from ailb.exchange import Exchange
from ailb.gateway import Gateway
from ailb.intake import ClientLeft, read_body
from ailb.loader import Snapshot
from ailb.records import recorded
from ailb.records_shelf import Shelf
from ailb.settling import Settling
from ailb.strict import parse

SPEECH: Final = Chat()


class ExplainPages:
    """The endpoints, each a method."""

    def __init__(self, gateway: Gateway, shelf: Shelf) -> None:
        self._gateway = gateway
        self._shelf = shelf

    def routes(self, access: Access) -> list[ApiRoute]:
        return [
            access.route("/api/routing/explain", {"POST": self.explain}, read="key", write="key"),
            access.route("/api/requests/{id}", {"GET": self.request}, read="key"),
        ]

    async def explain(self, request: Request, principal: Principal) -> Response:
        """A chat body goes through every layer, dry. That it would be refused is an answer too. Raises what `_opened` raises."""
        live = self._gateway.admit()
        try:
            exchange = await self._opened(request, live.snapshot)
            refusal = await self._tried(exchange, live.snapshot)
        finally:
            self._gateway.release(live)
        would = "refuse" if refusal else f"ask {exchange.target}" if exchange.target else "answer without asking anybody"
        said = refusal.body() if refusal else None
        return _json(recorded(exchange, None, at=exchange.prompt.received, would=would, refusal=said).json())

    async def request(self, request: Request, principal: Principal) -> Response:
        """Raises NotFound for one that is not kept, and for somebody else's."""
        record = await self._shelf.find(request.path_params["id"], principal.user)
        if record is None:
            raise NotFound("no such request; the last ones are kept, where the layer records is configured")
        return _json(record)

    async def _opened(self, request: Request, snapshot: Snapshot) -> Exchange:
        """Raises BadRequest, BodyTooLarge, RequestTimeout, UnsupportedMedia."""
        headers: Mapping[str, str] = request.scope["ailb.headers"]
        server = snapshot.config.server
        try:
            limit = Deadline(server.body_seconds)
            body = await read_body(request.receive, headers, most=server.max_body_bytes, limit=limit, setting="server.max_body_bytes")
        except ClientLeft:
            raise BadRequest("the body is not complete") from None
        prompt = SPEECH.prompt(parse(body), headers)
        prompt.received = self._gateway.now()
        peer = request.scope.get("client") or ("", 0)
        exchange = Exchange(prompt, id=request.scope["ailb.id"], path=SPEECH.paths[0], headers=headers, peer=peer[0])
        exchange.dry = True
        return exchange

    async def _tried(self, exchange: Exchange, snapshot: Snapshot) -> Refusal | None:
        """Settled all the same: a layer that does not know of dry exchanges may have taken something."""
        settling = Settling(exchange, self._gateway)
        try:
            reply = await snapshot.call(exchange)
            reply.close()
            settling.end("disconnected")  # nobody has got an answer, and no target has shown that it is well
        except Refusal as refusal:
            settling.outcome.refusal = refusal
            settling.end("refused", refusal.status)
        finally:
            await settling.run()
        return settling.outcome.refusal


def _json(record: bytes) -> Response:
    return Response(record, media_type="application/json")
