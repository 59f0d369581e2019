"""What a call of `/api/billing` asks for, from its query: which rows, grouped how, from where on."""

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Final, get_args

from starlette.requests import Request

from ailb.admin.when import span
from ailb.errors import BadRequest
from ailb.store.database import Database
from ailb.store.spend import Group, Span

FILTERS: Final = frozenset({"user_id", "key_id", "provider", "model", "period", "start_date", "end_date"})
MOST_TEXT: Final = 256
MOST_ROWS: Final = 1000
"""As of one page."""

_MOST_DIGITS: Final = 18


def query(request: Request, known: Collection[str]) -> dict[str, str]:
    """The parameters that say something; `key_id=` says nothing. Raises BadRequest with the name of one that is unknown or malformed."""
    asked: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise BadRequest(f"{name[:40]}: no such parameter; there are {', '.join(sorted(known))}", param=name[:40])
        if name in asked:
            raise BadRequest(f"{name} stands twice", param=name)
        if len(value) > MOST_TEXT or "\0" in value or "\ufffd" in value:
            raise BadRequest(f"{name} must be UTF-8 text of at most {MOST_TEXT} characters", param=name)
        asked[name] = value
    return {name: value for name, value in asked.items() if value}


def rows(asked: Mapping[str, str], database: Database, *, user: str | None, key_id: str | None) -> tuple[str, Span]:
    """The period's name and which rows. `user` and `key_id`: whose the caller may see, None for everybody's. Raises BadRequest."""
    period, start, end = (asked.get(name, "") for name in ("period", "start_date", "end_date"))
    period, first, last = span(period, start, end, database.micros(), database.windows)
    return period, Span(first, last, user, key_id, asked.get("provider"), asked.get("model"))


def group(asked: Mapping[str, str]) -> Group | None:
    """Raises BadRequest."""
    given = asked.get("group_by")
    if given is None:
        return None
    for known in get_args(Group):
        if given == known:
            found: Group = known
            return found
    raise BadRequest(f"group_by must be one of {', '.join(get_args(Group))}", param="group_by")


def limit(asked: Mapping[str, str]) -> int | None:
    """Rows. Raises BadRequest."""
    given = asked.get("limit")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS and 1 <= int(given) <= MOST_ROWS):
        raise BadRequest(f"limit must be an integer from 1 to {MOST_ROWS}", param="limit")
    return int(given)


def cursor(id: int) -> str:
    """Where the next page begins, behind the row with this id. Nobody needs to understand it."""
    return base64.urlsafe_b64encode(f"before {id}".encode()).decode().rstrip("=")


def before(asked: Mapping[str, str]) -> int | None:
    """The id in a cursor. Raises BadRequest for what `cursor` has not made."""
    given = asked.get("cursor")
    if given is None:
        return None
    try:
        id = int(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).removeprefix(b"before ")[: _MOST_DIGITS + 1])
    except (ValueError, binascii.Error):
        id = -1
    if id < 0 or cursor(id) != given:
        raise BadRequest("cursor is none; take next_cursor of the page before", param="cursor")
    return id
