"""Who may call, as the configuration says."""

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from ailb.secret import Secret


@dataclass(frozen=True, slots=True)
class Identity:
    """Without `admin_key` the gateway is in local mode: whoever reaches it is trusted. With it, `required` says whether a key must come."""

    admin_key: Secret | None = None
    required: bool = True

    def is_admin(self, given: str) -> bool:
        """In constant time."""
        return self.admin_key is not None and compare_digest(given.encode(), self.admin_key.reveal().encode())


def key_of(headers: Mapping[str, str]) -> str:
    """The key that a client sent, as `Authorization: Bearer` (in any case) or as `x-api-key`; empty where there is none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return headers.get("x-api-key", "")
