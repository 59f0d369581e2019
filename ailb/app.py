"""The Starlette app: routes, what is about HTTP and not about LLMs, and the one error shape for all that goes wrong outside the edge."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ailb.admin import openapi
from ailb.admin.access import Access, ApiRoute
from ailb.admin.pages import Pages, refusal_page
from ailb.admin.stats import StatsPages
from ailb.config import Config
from ailb.dialect import Speech
from ailb.edge import Edge
from ailb.errors import BadRequest, InternalError, MethodNotAllowed, NotFound, Refusal
from ailb.gateway import Gateway
from ailb.guard import Guard
from ailb.keys import NO_KEYS, Keys
from ailb.loader import is_loopback
from ailb.metrics import Metrics
from ailb.outlet import stamped
from ailb.plugins import named

LOG = structlog.get_logger("ailb.app")


def build(
    gateway: Gateway,
    metrics: Metrics,
    config: Config,
    speeches: Sequence[Speech],
    api: Sequence[ApiRoute] = (),
    keys: Keys = NO_KEYS,
) -> Starlette:
    """`config` is that of the start: the middleware is made from it once, and a reload does not change it.

    `api` are the routes of /api that need a store; that each is an `ApiRoute` is what keeps them closed.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        try:
            yield
        finally:
            await gateway.stop()

    errors = _Errors(speeches)
    stats = StatsPages(gateway, metrics).routes(Access(gateway, keys))
    edges = {path: Edge(speech, gateway) for speech in speeches for path in speech.paths}
    return App(
        edges,
        routes=[
            *(Route(path, edge, methods=["POST"]) for path, edge in edges.items()),
            *_routes(Pages(gateway, metrics, keys)),
            *stats,
            *api,
        ],
        middleware=_middleware(config),
        exception_handlers={Refusal: errors.refusal, HTTPException: errors.http, Exception: errors.bug},
        lifespan=lifespan,
    )


class App(Starlette):
    """Starlette, with a short way to the edges: they handle every exception themselves and need neither its router nor its wrappers.

    The short way begins inside the middleware, so whatever the config adds around sees every request.
    """

    def __init__(self, edges: Mapping[str, ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._edges = edges

    def build_middleware_stack(self) -> ASGIApp:
        around, self.user_middleware = self.user_middleware, []
        inner = super().build_middleware_stack()
        edges = self._edges

        def door(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] != "http":
                return inner(scope, receive, send)
            if scope["method"] == "POST" and (edge := edges.get(scope["path"])) is not None:
                return edge(scope, receive, send)
            return inner(scope, receive, stamped(scope, send))

        app: ASGIApp = door
        for cls, args, kwargs in reversed(around):
            app = cls(app, *args, **kwargs)
        return app


def _routes(pages: Pages) -> list[BaseRoute]:
    return [
        Route("/v1/models", pages.models),
        Route("/v1/models/{name:path}", pages.model),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/metrics", pages.metrics),
        Route("/openapi.json", openapi.page),
    ]


def _middleware(config: Config) -> list[Middleware]:
    server = config.server
    local = is_loopback(server.host) and not config.auth.admin_key
    hosts, origins = server.allowed_hosts, server.cors_origins
    layers = [Middleware(Guard, local=local, hosts=hosts, origins=origins, http2=server.http2)]
    if origins:
        layers.append(Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=["*"]))
    return [*(Middleware(named(name, "[server].middleware")) for name in server.middleware), *layers]


class _Errors:
    """Starlette's handlers. A path that a client's SDK asks for answers errors in that client's shape, also below its routes, where
    there is nothing: Anthropic's asks for /v1/messages/count_tokens.
    """

    def __init__(self, speeches: Sequence[Speech]) -> None:
        self._speeches = [(f"{path}/", speech) for speech in speeches for path in speech.paths]

    async def refusal(self, request: Request, refusal: Exception) -> Response:
        if not isinstance(refusal, Refusal):
            raise refusal
        path = f"{request.scope['path']}/"
        speech = next((speech for place, speech in self._speeches if path.startswith(place)), None)
        return refusal_page(refusal, speech.error(refusal) if speech else None)

    async def http(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        path, method = request.scope["path"], request.method
        known: dict[int, Refusal] = {
            404: NotFound(f"no such route: {method} {path}"),
            405: MethodNotAllowed(f"{method} is not allowed on {path}", headers=dict(getattr(error, "headers", None) or {})),
        }
        other = BadRequest("bad request") if status < 500 else InternalError("internal error")
        return await self.refusal(request, known.get(status, other))

    async def bug(self, request: Request, error: Exception) -> Response:
        LOG.error("bug", id=request.scope.get("ailb.id"), path=request.scope["path"], exc_info=error)
        return await self.refusal(request, InternalError("internal error"))
