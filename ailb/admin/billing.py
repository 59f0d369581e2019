"""/api/billing: what was spent, and the ledger behind it."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ailb import money
from ailb.admin import billing_asked as asks
from ailb.admin import when
from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.billing_budget import BudgetPages
from ailb.admin.ledger_rows import as_csv, as_json
from ailb.admin.pages import answer
from ailb.identity import user_id, user_of
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.keys import KeyStore
from ailb.store.spend import Group, Spend, Sum, Sums
from ailb.turns import in_turns

PAGE: Final = 100
"""Rows, where the caller does not say how many."""

_REFUSED: Final = re.compile(r";q=0(\.0*)?(;|$)")

_ALWAYS: Final[tuple[Group, ...]] = ("provider", "model", "key")


class BillingPages:
    """The endpoints, each a method."""

    def __init__(self, database: Database, keys: KeyStore, budgets: Budgets) -> None:
        self._spend = Spend(database)
        self._database = database
        self._keys = keys
        self._limits = BudgetPages(database, keys, budgets)

    def routes(self, access: Access) -> list[ApiRoute]:
        return [
            access.route("/api/billing/spend", {"GET": self.spend}, read="key"),
            access.route("/api/billing/usage", {"GET": self.usage}, read="key"),
            *self._limits.routes(access),
        ]

    async def spend(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound for a key that is not the caller's, Forbidden for another user."""
        asked = asks.query(request, asks.FILTERS | {"group_by"})
        series = asks.group(asked)
        user, key_id = await self._whose(request, principal, asked)
        period, span = asks.rows(asked, self._database, user=user, key_id=key_id)
        await self._database.catch_up()
        sums = await self._spend.sums(span, list(dict.fromkeys([*_ALWAYS, *([series] if series else [])])))
        total = _total(sums["provider"])
        body = {
            "period": period,
            "start_date": when.text(span.start),
            "end_date": when.text(span.end),
            "total_spend": money.number(total.nanos),
            "total_tokens": total.tokens,
            "total_requests": total.requests,
            "providers": _named(sums["provider"]),
            "by_model": _named(sums["model"]),
            "by_key": _named(sums["key"]),
        }
        return answer(body if series is None else {**body, "series": _series(series, sums[series])})

    async def usage(self, request: Request, principal: Principal) -> Response:
        """A page of rows as JSON, or all of them as CSV. Raises as `spend` does."""
        asked = asks.query(request, asks.FILTERS | {"cursor", "limit"})
        limit, before = asks.limit(asked), asks.before(asked)
        user, key_id = await self._whose(request, principal, asked)
        ever = {} if asked.keys() & {"period", "start_date", "end_date"} else {"start_date": "1970-01-01"}
        _, span = asks.rows({**asked, **ever}, self._database, user=user, key_id=key_id)
        await self._database.catch_up()
        if _wants_csv(request.scope["ailb.headers"]):
            return await _download(as_csv(self._spend.stream(span, before=before, limit=limit)))
        size = limit or PAGE
        rows = await self._spend.rows(span, before=before, limit=size + 1)
        more = asks.cursor(rows[size - 1]["id"]) if len(rows) > size else None
        return answer({"data": [as_json(row) async for row in in_turns(rows[:size])], "next_cursor": more})

    async def _whose(self, request: Request, principal: Principal, asked: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The user and the key that it is about; None: all that the caller may see."""
        user = principal.acts_for(user_id(asked["user_id"], "user_id")) if "user_id" in asked else principal.user
        if "key_id" in asked:
            return user, (await self._keys.get(asked["key_id"], user)).id
        if principal.key is not None and "user_id" not in asked and user_of(request.scope["ailb.headers"]) != principal.user:
            return user, principal.key.id
        return user, None


def _total(sums: Sums) -> Sum:
    each = sums.values()
    return Sum(sum(one.nanos for one in each), sum(one.tokens for one in each), sum(one.requests for one in each))


def _amount(one: Sum) -> dict[str, Any]:
    return {"spend": money.number(one.nanos), "tokens": one.tokens, "requests": one.requests}


def _named(sums: Sums) -> dict[str, Any]:
    """The dearest first."""
    return {name: _amount(one) for name, one in sorted(sums.items(), key=lambda pair: (-pair[1].nanos, pair[0]))}


def _series(group: Group, sums: Sums) -> list[dict[str, Any]]:
    """In the order of days or names. What has no key or session has null."""
    return [{group: when.text(name)[:10] if group == "day" else name or None, **_amount(one)} for name, one in sorted(sums.items())]


def _wants_csv(headers: Mapping[str, str]) -> bool:
    """Whether the client names CSV among what it accepts; `*/*` is JSON."""
    kinds = [re.sub(r"\s", "", kind).lower() for kind in headers.get("accept", "").split(",")]
    return any(kind.partition(";")[0] == "text/csv" and not _REFUSED.search(kind) for kind in kinds)


async def _download(parts: AsyncIterator[str]) -> Response:
    """The first part is there before the answer begins, so that a store that is down can still be an error."""
    first = await anext(parts)

    async def all() -> AsyncIterator[str]:
        yield first
        async for part in parts:
            yield part

    return StreamingResponse(all(), media_type="text/csv", headers={"content-disposition": 'attachment; filename="usage.csv"'})
