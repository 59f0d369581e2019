"""Who may call, as the configuration says."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from ailb.errors import BadRequest, InvalidKey
from ailb.keys import PREFIX
from ailb.secret import Secret

ANONYMOUS: Final = "anonymous"
"""The user of a request that names none."""

MOST_USER: Final = 256
"""Characters of a user's id."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Without `admin_key` the gateway is in local mode: whoever reaches it is trusted. With it, `required` says whether a key must come."""

    admin_key: Secret | None = None
    required: bool = True
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of proxies that have checked who is calling: their `X-User-ID` is believed, by the TCP peer's address and no header."""

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether the caller may act for any user. Raises InvalidKey for one that may not call at all."""
        if self.admin_key is None:
            return True
        key = key_of(headers)
        if self.is_admin(key):
            return True
        if key or self.required:
            raise InvalidKey("Invalid API key" if key else "Invalid API key: none was sent")
        return False

    def trusts(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:  # a Unix socket, or nothing
            return False
        return any(address in network for network in self.proxies)

    def address(self, peer: str, headers: Mapping[str, str]) -> str:
        """Where a request comes from: the TCP peer, or whom the nearest trusted proxies name in `X-Forwarded-For`."""
        if not self.proxies:
            return peer
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            if not hop.strip() or not self.trusts(peer):
                break
            peer = hop.strip()
        return peer

    def judges(self, given: str) -> bool:
        """Whether it matters what was given as a key: in local mode one that is not the gateway's own is not looked at."""
        return bool(given) and (self.admin_key is not None or given.startswith(PREFIX))

    def is_admin(self, given: str) -> bool:
        """In constant time."""
        return self.admin_key is not None and compare_digest(given.encode(), self.admin_key.reveal().encode())


def key_of(headers: Mapping[str, str]) -> str:
    """The key that a client sent, as `Authorization: Bearer` (in any case) or as `x-api-key`; empty where there is none.

    Raises BadRequest for two different ones: it is not for the gateway to choose who is calling; and InvalidKey for one of the gateway's
    own in another scheme: who forgot it must not pass for somebody without a budget.
    """
    authorization = headers.get("authorization", "")
    scheme, _, credentials = authorization.partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    if not bearer and PREFIX in authorization:
        raise InvalidKey("Invalid API key: it is sent as Authorization: Bearer, and a space before the key")
    other = headers.get("x-api-key", "")
    if bearer and other and bearer != other:
        raise BadRequest("there are two different keys: in Authorization and in x-api-key", param="x-api-key")
    return bearer or other


def user_of(headers: Mapping[str, str]) -> str | None:
    """The user that `X-User-ID` names, in UTF-8; None where it names none. Raises BadRequest."""
    given = headers.get("x-user-id", "").strip()
    if not given:
        return None
    try:
        return user_id(given.encode("latin-1").decode("utf-8"), "X-User-ID")
    except UnicodeError:
        raise BadRequest("X-User-ID is not UTF-8", param="X-User-ID") from None


def user_id(given: str, param: str) -> str:
    """A user's id in the one way to write it (NFC), so that no two users look or compare alike. Raises BadRequest naming `param`."""
    canonical = unicodedata.normalize("NFC", given)
    if not 0 < len(canonical) <= MOST_USER:
        raise BadRequest(f"{param} must have 1 to {MOST_USER} characters", param=param)
    if not canonical.isprintable() or canonical != canonical.strip() or "," in canonical:
        raise BadRequest(f"{param} must be printable characters, with no comma and no space around them", param=param)
    return canonical
