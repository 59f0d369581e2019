"""/api/billing/budget: what may be spent, by whom and on what."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from ailb import money
from ailb.admin import billing_asked as asks
from ailb.admin import when
from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.bodies import Body, body_of
from ailb.admin.pages import answer
from ailb.errors import BadRequest, Forbidden
from ailb.identity import user_id
from ailb.store.budgets import SOFT_PPM, Budgets, BudgetState
from ailb.store.database import Database
from ailb.store.keys import KeyStore
from ailb.store.spend import Span, Spend, Sum
from ailb.store.windows import DAY, PERIODS, Period, day

MOST_TOKENS: Final = 10**15
_PPM: Final = 1_000_000


def _nanos(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        raise ValueError("must be a number of dollars, such as 12.5")
    return money.nanos(value)


def _user(value: str) -> str:
    return user_id(value, "user_id")


def _plain(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable characters")
    return value


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_plain)]


class Terms(Body):
    """Of the members that say what it is for there must be one, and a limit of at least one kind. What is left out or null is no limit."""

    key_id: Name | None = None
    user_id: Annotated[Name, AfterValidator(_user)] | None = None
    model: Name | None = None
    provider: Name | None = None
    everything: Annotated[Literal[True] | None, Field(alias="global")] = None
    monthly_limit_dollars: Annotated[int | None, BeforeValidator(_nanos)] = None
    monthly_limit_tokens: Annotated[int, Field(ge=0, le=MOST_TOKENS)] | None = None
    period: Period = "monthly"
    soft_limit_ratio: Annotated[float, Field(ge=0, le=1)] = SOFT_PPM / _PPM

    def scope(self) -> tuple[str, str]:
        """As the store names it. Raises BadRequest."""
        named = {"key": self.key_id, "user": self.user_id, "model": self.model, "provider": self.provider}
        found = [(scope, id) for scope, id in named.items() if id is not None] + ([("global", "")] if self.everything else [])
        if len(found) != 1:
            raise BadRequest('a budget is for one of key_id, user_id, model, provider or "global": true', param="key_id")
        return found[0]


class BudgetPages:
    """The endpoints, each a method."""

    def __init__(self, database: Database, keys: KeyStore, budgets: Budgets) -> None:
        self._database = database
        self._spend = Spend(database)
        self._budgets = budgets
        self._keys = keys

    def routes(self, access: Access) -> list[ApiRoute]:
        return [
            access.route("/api/billing/budget", {"POST": self.set}, read="key"),
            access.route("/api/billing/budget/{key_id}", {"GET": self.get}, read="key"),
        ]

    async def set(self, request: Request, principal: Principal) -> Response:
        """Raises BadRequest, NotFound for a key that is not the caller's, Forbidden for what only the admin may limit."""
        terms = await body_of(request, Terms)
        scope, id = terms.scope()
        if scope == "key":
            await self._keys.get(id, principal.user)
        elif not principal.admin:
            raise Forbidden("only the admin may set a budget that is not a key's")
        if not terms.model_fields_set & {"monthly_limit_dollars", "monthly_limit_tokens"}:
            raise BadRequest("a budget needs monthly_limit_dollars or monthly_limit_tokens", param="monthly_limit_dollars")
        state = await self._budgets.set(
            scope,
            id,
            period=terms.period,
            limit_nanos=terms.monthly_limit_dollars,
            limit_tokens=terms.monthly_limit_tokens,
            soft_limit_ppm=round(terms.soft_limit_ratio * _PPM),
        )
        return answer(data(state))

    async def get(self, request: Request, principal: Principal) -> Response:
        """The budget of the `period` that was asked for, else the monthly one, else any. Raises BadRequest, NotFound."""
        asked = asks.query(request, ("period",)).get("period")
        if asked is not None and asked not in PERIODS:
            raise BadRequest(f"period must be one of {', '.join(PERIODS)}", param="period")
        key = await self._keys.get(request.path_params["key_id"], principal.user)
        await self._database.catch_up()
        states = await self._budgets.get("key", key.id)
        wanted = [state for state in states if asked in (None, state.period)]
        monthly = [state for state in wanted if state.period == "monthly"]
        for state in monthly or wanted:
            return answer(data(state))
        period: Period = next((known for known in PERIODS if known == asked), "monthly")
        return answer(data(await self._unlimited(key.id, period)))

    async def _unlimited(self, key_id: str, period: Period) -> BudgetState:
        """A key without a budget has no limits, and has spent what it has; nothing is reserved where nothing is limited."""
        windows = self._database.windows
        now = self._database.micros()
        start = windows.start(period, now)
        end = windows.end(period, start)
        last = day(now) + DAY if end is None else end
        spent = (await self._spend.sums(Span(start, last, key_id=key_id), ["key"]))["key"].get(key_id, Sum())
        return BudgetState("", "key", key_id, period, None, None, SOFT_PPM, spent.nanos, spent.tokens, 0, 0, start, end)


def data(state: BudgetState) -> dict[str, Any]:
    """As JSON has it. What is left is less what is reserved, and never below zero."""
    return {
        "key_id": state.scope_id if state.scope == "key" else None,
        "scope": state.scope,
        "scope_id": state.scope_id or None,
        "period": state.period,
        "monthly_limit_dollars": _dollars(state.limit_nanos),
        "monthly_limit_tokens": state.limit_tokens,
        "current_spend": money.number(state.spent_nanos),
        "current_tokens": state.spent_tokens,
        "reserved": money.number(state.held_nanos),
        "remaining_budget": _dollars(_left(state.limit_nanos, state.spent_nanos + state.held_nanos)),
        "remaining_tokens": _left(state.limit_tokens, state.spent_tokens + state.held_tokens),
        "soft_limit_ratio": state.soft_limit_ppm / _PPM,
        "resets_at": None if state.resets_at is None else when.text(state.resets_at),
        "status": state.status,
    }


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


def _dollars(nanos: int | None) -> Any:
    return None if nanos is None else money.number(nanos)
