"""/api/keys: making, seeing, changing and revoking virtual keys."""

import unicodedata
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from ailb import money
from ailb.admin import when
from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.bodies import Body, body_of, number
from ailb.admin.pages import answer
from ailb.errors import BadRequest
from ailb.identity import user_id
from ailb.store.keys import KeyStore
from ailb.store.keys_rows import Record

MOST_OFFSET: Final = 1_000_000_000
MOST_METADATA: Final = 4096
"""Bytes, as JSON."""

_STATUSES: Final = ("active", "revoked", "expired")
_QUOTAS: Final = {"monthly_quota_dollars": "quota_nanos", "monthly_quota_tokens": "quota_tokens"}


def _nanos(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        raise ValueError("must be a number of dollars, such as 12.5")
    return money.nanos(value)


def _expires(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-31T10:30:00Z")
    return when.moment(value, "expires_at", end=True)


def _name(value: str) -> str:
    name = unicodedata.normalize("NFC", value).strip()
    if not name or not name.isprintable():
        raise ValueError("must be printable characters")
    return name


def _user(value: str) -> str:
    return user_id(value, "user_id")


def _small(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(value))
    except TypeError:
        raise ValueError("has a number beyond 64 bits") from None
    if size > MOST_METADATA:
        raise ValueError(f"must be at most {MOST_METADATA} bytes of JSON")
    return value


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_name)]
Rate = Annotated[int, Field(ge=1, le=1_000_000_000)]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]
Patterns = Annotated[list[Pattern], Field(max_length=256)]


class Terms(Body):
    """What may be set of a key, when it is made and later. An explicit null takes a limit away."""

    monthly_quota_dollars: Annotated[int | None, BeforeValidator(_nanos)] = None
    monthly_quota_tokens: Annotated[int, Field(ge=0, le=10**15)] | None = None
    rate_limit_rpm: Rate | None = None
    rate_limit_tpm: Rate | None = None
    max_parallel: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    allowed_models: Patterns | None = None
    allowed_collections: Patterns | None = None
    expires_at: Annotated[int | None, BeforeValidator(_expires)] = None
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] | None = None

    def given(self) -> dict[str, Any]:
        """The members that were in the body, by the store's names."""
        members = self.model_dump(include=self.model_fields_set, exclude={"user_id"})
        return {_QUOTAS.get(name, name): value for name, value in members.items()}


class Create(Terms):
    name: Name
    user_id: Annotated[str, AfterValidator(_user)] | None = None


class Change(Terms):
    name: Name = ""


class Rotate(Body):
    grace_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 0


class KeyPages:
    """The endpoints, each a method."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def routes(self, access: Access) -> list[ApiRoute]:
        one = {"GET": self.get, "PATCH": self.update, "DELETE": self.revoke}
        return [
            access.route("/api/keys", {"GET": self.page, "POST": self.create}, read="key"),
            access.route("/api/keys/{id}", one, read="key"),
            access.route("/api/keys/{id}/rotate", {"POST": self.rotate}, read="key"),
        ]

    async def create(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, Forbidden."""
        body = await body_of(request, Create)
        secret, record = await self._keys.create(principal.acts_for(body.user_id), body.given())
        return answer({"key": secret, "key_data": data(record)}, 201)

    async def page(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest."""
        limit, offset = number(request, "limit", 100, 1, 1000), number(request, "offset", 0, 0, MOST_OFFSET)
        status = request.query_params.get("status")
        if status is not None and status not in _STATUSES:
            raise BadRequest(f"status: must be one of {', '.join(_STATUSES)}", param="status")
        records, total = await self._keys.page(principal.user, status=status, limit=limit, offset=offset)
        return answer({"keys": [data(record) for record in records], "total": total, "limit": limit, "offset": offset})

    async def get(self, request: Request, principal: Principal) -> Response:
        """Raises NotFound."""
        return answer(data(await self._keys.get(request.path_params["id"], principal.user)))

    async def update(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound, Conflict."""
        body = await body_of(request, Change)
        return answer(data(await self._keys.update(request.path_params["id"], body.given(), principal.user)))

    async def revoke(self, request: Request, principal: Principal) -> Response:
        """Raises NotFound, Conflict."""
        await self._keys.revoke(request.path_params["id"], principal.user)
        return Response(status_code=204)

    async def rotate(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound, Conflict."""
        body = await body_of(request, Rotate, empty=True)
        secret, record = await self._keys.rotate(request.path_params["id"], body.grace_seconds, principal.user)
        return answer({"key": secret, "key_data": data(record)})


def data(record: Record) -> dict[str, Any]:
    """`key_data`, as JSON has it."""
    return {
        "id": record.id,
        "user_id": record.user,
        "name": record.name,
        "prefix": record.prefix,
        "status": record.status,
        "created_at": _moment(record.created_at),
        "expires_at": _moment(record.expires_at),
        "last_used": _moment(record.last_used),
        "monthly_quota_dollars": None if record.quota_nanos is None else money.number(record.quota_nanos),
        "monthly_quota_tokens": record.quota_tokens,
        "rate_limit_rpm": record.rate_limit_rpm,
        "rate_limit_tpm": record.rate_limit_tpm,
        "max_parallel": record.max_parallel,
        "allowed_models": record.allowed_models,
        "allowed_collections": record.allowed_collections,
        "metadata": record.metadata,
    }


def _moment(micros: int | None) -> str | None:
    """To the second."""
    return None if micros is None else when.text(micros - micros % 1_000_000)
