"""Whose money an attempt is: the scopes of its budgets, from names that every database can keep."""

from collections.abc import Mapping
from typing import Any, Final

from ailb.ledger import Intent
from ailb.money import MOST, NANO
from ailb.store.counters import Scope

MOST_NANOS: Final = MOST * NANO
"""No attempt is written down with more, so that sums stay within 64 bits."""

_NAME: Final = 256
_REQUEST: Final = 128
_KEY: Final = 40


COLUMNS: Final = ("request_id", "attempt", "user_id", "key_id", "provider", "model", "asked", "session_id", "prompt_tokens")


def clean(value: str, length: int) -> str:
    """Without what PostgreSQL does not take (NUL, halves of characters), and not too long for the column."""
    if value.isascii() and "\0" not in value:
        return value[:length]
    return value.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")[:length]


def columns(intent: Intent) -> dict[str, Any]:
    """The columns of `holds` that say who asks whom for what: COLUMNS, in this order."""
    return {
        "request_id": clean(intent.request_id, _REQUEST),
        "attempt": intent.attempt,
        "user_id": clean(intent.user, _NAME),
        "key_id": clean(intent.key_id or "", _KEY),
        "provider": clean(intent.provider, _NAME),
        "model": clean(intent.model, _NAME),
        "asked": clean(intent.asked, _NAME),
        "session_id": None if intent.session_id is None else clean(intent.session_id, _NAME),
        "prompt_tokens": intent.prompt_tokens,
    }


def scopes(row: Mapping[str, Any]) -> tuple[Scope, ...]:
    """Every scope whose budgets pay for it. A model counts under the name that the client used and the provider's own."""
    who = (("user", row["user_id"]), ("model", row["model"]), ("provider", row["provider"]), ("global", ""))
    key = (("key", row["key_id"]),) if row["key_id"] else ()
    asked = (("model", row["asked"]),) if row["asked"] != row["model"] else ()
    return (*key, *who, *asked)
