"""Who may call, as the configuration says."""

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address

from ailb.errors import InvalidKey
from ailb.secret import Secret


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

    def is_admin(self, given: str) -> bool:
        """In constant time."""
        return self.admin_key is not None and compare_digest(given.encode(), self.admin_key.reveal().encode())


def key_of(headers: Mapping[str, str]) -> str:
    """The key that a client sent, as `Authorization: Bearer` (in any case) or as `x-api-key`; empty where there is none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return headers.get("x-api-key", "")
