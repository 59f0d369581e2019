"""Whose money an attempt is: the scopes of its budgets, from names that every database can keep."""

from typing import Final, NamedTuple

from ailb.ledger import Intent
from ailb.money import MOST, NANO

Scope = tuple[str, str]
"""`("user", "ann")`; the second is empty for `global`."""

MOST_NANOS: Final = MOST * NANO
"""No attempt is written down with more, so that sums stay within 64 bits."""

_NAME: Final = 256
_REQUEST: Final = 128
_KEY: Final = 40


class Spender(NamedTuple):
    """Who asks whom for what, by the names of the columns. Nobody's key is empty."""

    user_id: str
    key_id: str
    provider: str
    model: str
    asked: str


def clean(value: str, length: int) -> str:
    """Without what PostgreSQL does not take (NUL, halves of characters), and not too long for the column."""
    if value.isascii() and "\0" not in value:
        return value[:length]
    return value.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")[:length]


def spender(user: str, key_id: str | None, provider: str, model: str, asked: str) -> Spender:
    return Spender(clean(user, _NAME), clean(key_id or "", _KEY), clean(provider, _NAME), clean(model, _NAME), clean(asked, _NAME))


def ids(intent: Intent) -> tuple[str, str | None]:
    """The ids of the request and of its session."""
    return clean(intent.request_id, _REQUEST), None if intent.session_id is None else clean(intent.session_id, _NAME)


def scopes(spender: Spender) -> tuple[Scope, ...]:
    """Every scope whose budgets pay for it. A model counts under the name that the client used and the provider's own."""
    who = (("user", spender.user_id), ("model", spender.model), ("provider", spender.provider), ("global", ""))
    key = (("key", spender.key_id),) if spender.key_id else ()
    asked = (("model", spender.asked),) if spender.asked != spender.model else ()
    return (*key, *who, *asked)
