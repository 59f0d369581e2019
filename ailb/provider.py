"""What an HTTP provider is told about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from ailb.secret import Secret

Auth = Literal["bearer", "api-key", "x-api-key", "none"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect`: a fresh socket. `first_token`: until a stream's first event. `idle`: between two reads. `total`: all of it."""

    connect: float = 3.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`auth` is the header that carries the key ("bearer" is `authorization: Bearer ...`). `local`: its name may lead to this network."""

    name: str
    base_url: str
    auth: Auth = "bearer"
    api_key: Secret | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    max_answer_bytes: int = 64 * 1024 * 1024
    local: bool = False


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet: not private, loopback, link-local, mapped or otherwise special."""
    ip = ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global
