"""A gateway, as the commands about documents ask it."""

from typing import Any, Final
from urllib.parse import quote

import orjson

from ailb.commands.caller import Caller
from ailb.errors import BadRequest, Forbidden, NotFound, Refusal, Unavailable
from ailb.strict import loosely

COLLECTIONS: Final = "/api/rag/collections"
SECONDS: Final = 60.0
PAGE: Final = 1000
_LATER: Final = (408, 429)
_NEVER: Final = (401, 403)


class Gateway:
    """Without `key` it must be in local mode. `user` is whose collections are meant, where the key does not say."""

    def __init__(self, url: str, *, key: str = "", user: str = "") -> None:
        self._gateway = Caller(url, key=key, user=user, seconds=SECONDS)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Raises NotFound, Forbidden (also for a wrong key), BadRequest for what it refuses, Unavailable for what
        another try may bring.
        """
        sent = None if body is None else orjson.dumps(body)
        status, said = self._gateway.call(method, path, sent, {"content-type": "application/json"})
        told = loosely(said) if said else {}
        if status < 300 and isinstance(told, dict):
            return told
        raise _refusal(status, told, self._gateway.where)

    def all(self, path: str, key: str) -> list[Any]:
        """What is listed there under `key`, page by page. Raises what `ask` raises."""
        found: list[Any] = []
        while True:
            page = self.ask("GET", f"{path}?limit={PAGE}&offset={len(found)}")
            found += page[key]
            if not page[key] or len(found) >= page["total"]:
                return found


def collection(name: str) -> str:
    """Its path."""
    return f"{COLLECTIONS}/{quote(name, safe='')}"


def documents(name: str, id: str = "") -> str:
    """The path of a collection's documents, or of one of them."""
    return f"{collection(name)}/documents" + (f"/{quote(id)}" if id else "")


def _refusal(status: int, told: Any, where: str) -> Refusal:
    detail = told.get("detail") if isinstance(told, dict) else None
    if not isinstance(detail, str):
        return Unavailable(f"{where} answers {status}, which is no gateway's answer")
    if status == NotFound.status:
        return NotFound(detail)
    if status in _NEVER:
        return Forbidden(f"{detail}; AILB_ADMIN_KEY must be its auth.admin_key" if status == _NEVER[0] else detail)
    return Unavailable(detail) if status >= 500 or status in _LATER else BadRequest(detail)
