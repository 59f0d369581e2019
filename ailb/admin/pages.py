"""What is not a conversation: health, readiness, metrics, and the list of models."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ailb.errors import Refusal, Unavailable
from ailb.gateway import Gateway
from ailb.identity import Identity, key_of
from ailb.keys import NO_KEYS, Key, Keys, sent
from ailb.metrics import Metrics
from ailb.stack import Dependent


class Pages:
    """The endpoints, each a method."""

    def __init__(self, gateway: Gateway, metrics: Metrics, keys: Keys = NO_KEYS) -> None:
        self._gateway = gateway
        self._metrics = metrics
        self._keys = keys

    async def healthz(self, request: Request) -> Response:
        """Alive, and able to take requests."""
        if self._gateway.draining:
            return answer({"status": "unhealthy", "reason": "shutting down"}, 503)
        if self._store_is_gone():
            return answer({"status": "unhealthy", "reason": "store"}, 503)
        return answer({"status": "healthy"})

    async def readyz(self, request: Request) -> Response:
        """As `healthz`, and what the gateway depends on, by name."""
        try:
            snapshot = self._gateway.snapshot
        except Unavailable as refusal:
            return answer({"status": "unhealthy", "reason": refusal.message}, 503)
        gone = self._store_is_gone()
        well = not (self._gateway.draining or gone)
        body = {
            "status": _word(well),
            "version": snapshot.version,
            "providers": dict.fromkeys(snapshot.providers, "configured"),
        }
        for thing in (self._gateway.store, *snapshot.layers):
            if isinstance(thing, Dependent):
                body |= {name: _word(up) for name, up in thing.dependencies.items()}
        return answer(body, 200 if well else 503)

    async def metrics(self, request: Request) -> Response:
        self._admit(request)
        await self._metrics.memories.look()
        exposition = await self._metrics.exposition()
        return StreamingResponse(exposition.text(), media_type=self._metrics.content_type)

    async def models(self, request: Request) -> Response:
        """OpenAI's list, of what the caller's key may use; Anthropic's paging members stand beside, so that its SDK can read it too."""
        key = await self._holder(request)
        models = self._gateway.snapshot.models
        data = [_model(name, models.owner(name)) for name in models.names() if key is None or key.allows_model(name)]
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return answer({"object": "list", "data": data, "has_more": False, "first_id": first, "last_id": last})

    async def model(self, request: Request) -> Response:
        """Raises ModelNotFound, and Forbidden for one that the caller's key may not use."""
        key = await self._holder(request)
        name = request.path_params["name"]
        if key is not None:
            key.check_model(name)
        return answer(_model(name, self._gateway.snapshot.models.owner(name)))

    async def _holder(self, request: Request) -> Key | None:
        """The caller's virtual key; None for whom `_admit` admits without one. Raises InvalidKey, Unavailable."""
        given = key_of(request.scope["ailb.headers"])
        key = None if self._identity().is_admin(given) else await sent(given, self._keys)
        if key is None:
            self._admit(request)
        return key

    def _store_is_gone(self) -> bool:
        return self._gateway.store is not None and not self._gateway.store.healthy

    def _admit(self, request: Request) -> None:
        """What health says is for everybody; the rest follows the configuration. Raises InvalidKey."""
        self._identity().admits(request.scope["ailb.headers"])

    def _identity(self) -> Identity:
        auth = self._gateway.snapshot.config.auth
        return Identity(auth.admin_key, auth.required)


def answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def refusal_page(refusal: Refusal, body: bytes | None = None) -> Response:
    """`body` where the client's dialect has its own shape."""
    body = orjson.dumps(refusal.body()) if body is None else body
    return Response(body, refusal.status, headers=refusal.headers, media_type="application/json")


def _model(name: str, owner: str) -> dict[str, Any]:
    """`created` is not known here; SDKs insist on a number."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": owner,
        "type": "model",
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",
    }


def _word(well: bool | None) -> str:
    return "unknown" if well is None else "healthy" if well else "unhealthy"
