"""/api/sessions: which conversations are remembered, what is in them, and forgetting them."""

from typing import Any, Final

import orjson
from sqlalchemy.engine import RowMapping
from starlette.requests import Request
from starlette.responses import Response

from ailb.admin import when
from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.bodies import number
from ailb.admin.pages import answer
from ailb.errors import BadRequest
from ailb.sessions import Session
from ailb.store.sessions import StoredSessions

MOST_OFFSET: Final = 1_000_000_000


class SessionPages:
    """The endpoints, each a method."""

    def __init__(self, sessions: StoredSessions) -> None:
        self._sessions = sessions

    def routes(self, access: Access) -> list[ApiRoute]:
        one = {"GET": self.export, "DELETE": self.forget}
        return [
            access.route("/api/sessions", {"GET": self.page}, read="key"),
            access.route("/api/sessions/{id:path}", one, read="key", write="key"),
        ]

    async def page(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest."""
        limit, offset = number(request, "limit", 100, 1, 1000), number(request, "offset", 0, 0, MOST_OFFSET)
        rows, total = await self._sessions.page(principal.user, limit=limit, offset=offset)
        sessions = [{**_about(row), "turns": int(row["turns"])} for row in rows]
        return answer({"sessions": sessions, "total": total, "limit": limit, "offset": offset})

    async def export(self, request: Request, principal: Principal) -> Response:
        """All that is remembered of one. Raises BadRequest, NotFound."""
        row, turns = await self._sessions.export(await self._session(request, principal))
        return answer({**_about(row), "summary": row["summary"], "turns": [_turn(turn) for turn in turns]})

    async def forget(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound."""
        await self._sessions.forget(await self._session(request, principal))
        return Response(status_code=204)

    async def _session(self, request: Request, principal: Principal) -> Session:
        """An admin who does not say whose session he means gets the only one of that name. Raises NotFound, and BadRequest for several."""
        id: str = request.path_params["id"]
        if principal.user is not None:
            return Session(principal.user, id)
        users = await self._sessions.users(id)
        if len(users) > 1:
            raise BadRequest("several users have a session of that name: X-User-ID must say whose is meant", param="X-User-ID")
        return Session(users[0] if users else "", id)


def _about(row: RowMapping) -> dict[str, Any]:
    return {
        "id": row["session_id"],
        "user_id": row["user_id"],
        "created_at": when.text(row["created_at"]),
        "updated_at": when.text(row["updated_at"]),
        "bytes": int(row["bytes"]),
    }


def _turn(row: RowMapping) -> dict[str, Any]:
    """Its messages go out as they were written down."""
    return {
        "number": int(row["number"]),
        "at": when.text(row["at"]),
        "messages": orjson.Fragment(row["messages"]),
        "tokens": int(row["tokens"]),
        "cut": bool(row["cut"]),
    }
