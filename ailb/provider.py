"""What an HTTP provider is told about itself."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal
from urllib.parse import quote, quote_plus

from ailb.exchange import Drain
from ailb.secret import HIDDEN, LEAST, Secret, scrub

Auth = Literal["bearer", "api-key", "x-api-key", "none"]

_UNQUOTED: Final = "?/:@!$'()*,"
"""What the transport's URLs have in a query as it is, beside letters, digits and `-._~`."""

_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d(?:-preview)?")
"""Of an API, such as Azure's and Anthropic's: no secret, and worth reading where it is refused."""

_UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA has given out for the public internet."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_DOCUMENTATION: Final = IPv6Network("3fff::/20")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect`: a fresh socket. `first_token`: until a stream's first event. `idle`: between two reads. `total`: all of it."""

    connect: float = 3.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`auth` is the header that carries the key ("bearer" is `authorization: Bearer ...`). Of several `api_keys`, a target's `credential`
    is the place of the one that it is asked with. `local`: its name may lead to this network. `secrets` is all that nobody may see of it,
    the longest first: keys, values of headers and of the query, and its address.
    """

    name: str
    base_url: str
    auth: Auth = "bearer"
    api_keys: tuple[Secret, ...] = ()
    headers: Mapping[str, Secret] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    max_answer_bytes: int = 64 * 1024 * 1024
    local: bool = False
    drain: Drain | None = None
    secrets: tuple[Secret, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = [value for value in _confidential(self) if not _VERSION.fullmatch(value)]
        found = {form for value in values for form in (value, scrub(value)) if len(form) >= LEAST} - {HIDDEN}
        object.__setattr__(self, "secrets", tuple(map(Secret, sorted(found, key=lambda form: (-len(form), form)))))


def _confidential(settings: Settings) -> Iterator[str]:
    """The values as an upstream may quote them. Dialects look for keys first, so what that leaves of a value is one too."""
    for key in settings.api_keys:
        yield key.reveal()
    for name, header in settings.headers.items():
        value = header.reveal().strip()
        yield value
        if name.lower() in ("authorization", "proxy-authorization"):
            yield value.rpartition(" ")[2]  # without its scheme
    for value in settings.query.values():
        yield from (value, quote(value, safe="", errors="replace"), quote_plus(value, safe=_UNQUOTED, errors="replace"))
    url = settings.base_url.rstrip("/")
    yield from (url, "/".join(url.split("/")[:3]))  # whole, and without its path


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet: not private, loopback, link-local, multicast or otherwise special.

    An IPv6 address that leads to an IPv4 one (mapped, NAT64, 6to4) is judged by that one.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inside = _inside(ip)
        if inside is None:
            return ip.is_global and ip in _UNICAST and ip not in _DOCUMENTATION
        ip = inside
    return ip.is_global and not ip.is_multicast


def _inside(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(ip.packed[12:])
    return ip.ipv4_mapped or ip.sixtofour
