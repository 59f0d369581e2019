"""Who is calling /api/*, and whether they may: no route of it exists without an answer to that."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ailb.errors import BadRequest, Forbidden, InvalidKey, UnsupportedMedia
from ailb.gateway import Gateway
from ailb.identity import ANONYMOUS, Identity, key_of, user_of
from ailb.keys import Key, Keys, sent

Who = Literal["key", "user", "admin"]
"""Who at least: the holder of a virtual key, a user whom a trusted proxy vouches for, whoever runs the gateway."""

JSON: Final = ("application/json",)
_RANKS: Final[Mapping[Who, int]] = {"key": 0, "user": 1, "admin": 2}
_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. `user`: whose keys and spend it is about; None (an admin only): everybody's."""

    user: str | None
    admin: bool = False
    key: Key | None = None

    @property
    def who(self) -> Who:
        if self.admin:
            return "admin"
        return "key" if self.key else "user"

    def acts_for(self, user: str | None) -> str:
        """The user for whom something is made: the one asked for, else the caller. Raises Forbidden for somebody else's."""
        if user is not None and user != self.user and not self.admin:
            raise Forbidden("user_id: only the admin may act for another user", param="user_id")
        return user or self.user or ANONYMOUS


Endpoint = Callable[[Request, Principal], Awaitable[Response]]


class ApiRoute(Route):
    """A route that asks who is calling before its endpoint is called. `Access.route` makes them."""


class Access:
    """Makes the routes of /api."""

    def __init__(self, gateway: Gateway, keys: Keys) -> None:
        self._gateway = gateway
        self._keys = keys

    def route(
        self,
        path: str,
        endpoints: Mapping[str, Endpoint],
        *,
        read: Who,
        write: Who = "user",
        media: tuple[str, ...] = JSON,
    ) -> ApiRoute:
        """`endpoints` by method. `read` and `write`: who at least may GET, and who everything else. `media`: the types of a body."""

        async def guarded(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            principal = await self.principal(request)
            least = read if method in _READS else write
            if _RANKS[principal.who] < _RANKS[least]:
                raise Forbidden(f"this key may not {request.method} {request.scope['path']}")
            if method in ("POST", "PUT", "PATCH"):
                _check_media(request.scope["ailb.headers"], media)
            return await endpoints[method](request, principal)

        return ApiRoute(path, guarded, methods=list(endpoints))

    async def principal(self, request: Request) -> Principal:
        """Raises InvalidKey for nobody, BadRequest for an `X-User-ID` that is none, Unavailable while nobody can say."""
        headers: Mapping[str, str] = request.scope["ailb.headers"]
        identity = self._identity()
        given = key_of(headers)
        if identity.is_admin(given):
            return Principal(user_of(headers), admin=True)
        if (key := await sent(given, self._keys)) is not None:
            return Principal(key.user, key=key)
        if identity.admin_key is None:
            return Principal(user_of(headers) or ANONYMOUS, admin=True)
        user = user_of(headers) if not given and identity.trusts(_peer(request)) else None
        if user is None:
            raise InvalidKey("Invalid API key" if given else "Invalid API key: none was sent")
        return Principal(user)

    def _identity(self) -> Identity:
        """As the configuration is now."""
        config = self._gateway.snapshot.config
        return Identity(config.auth.admin_key, config.auth.required, tuple(map(ip_network, config.server.trusted_proxies)))


def _peer(request: Request) -> str:
    client = request.scope.get("client")
    return client[0] if client else ""


def _check_media(headers: Mapping[str, str], media: tuple[str, ...]) -> None:
    """A web page can send a form anywhere without asking; JSON it cannot."""
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not given:
        raise BadRequest(f"the content-type header is missing; it must be {' or '.join(media)}")
    if given not in media:
        raise UnsupportedMedia(f"the content-type must be {' or '.join(media)}")
