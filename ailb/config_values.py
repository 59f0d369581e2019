"""What single values of the configuration must look like. Each function returns the value, or raises a ValueError that does not show it."""

import re
from ipaddress import ip_network
from urllib.parse import urlsplit

from ailb.secret import Secret

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SHORTEST_ADMIN_KEY = 16
_DATABASES = ("sqlite+aiosqlite://", "postgresql+asyncpg://")


def name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be made of a-z, 0-9, - and _, and be at most 64 long")
    return value


def host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("must be the name of a host, without a port")
    return value


def origin(value: str) -> str:
    """As browsers send it (RFC 6454, 6.1), or `*`."""
    if value != "*" and _url(value) != value:
        raise ValueError("must be an origin such as https://chat.example.com, or *")
    return value


def network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8") from None


def base_url(value: str) -> str:
    if not _url(value):
        raise ValueError("must be an http:// or https:// URL without credentials, query and fragment")
    return value.rstrip("/")


def header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("cannot be the name of a header")
    return value.lower()


def admin_key(value: Secret) -> Secret:
    if len(value.reveal()) < _SHORTEST_ADMIN_KEY:
        raise ValueError(f"must have at least {_SHORTEST_ADMIN_KEY} characters; `openssl rand -hex 32` makes a good one")
    return value


def database(value: Secret) -> Secret:
    """What else is wrong with it, `ailb.store.connections` finds when something needs the store: reading URLs takes SQLAlchemy."""
    if not value.reveal().startswith(_DATABASES):
        raise ValueError(f"must begin with {' or '.join(_DATABASES)}")
    return value


def sticky(value: str) -> str:
    """Empty: nothing is, whatever the routing layer has."""
    kind, colon, name = value.partition(":")
    if value in ("", "session", "prefix", "user"):
        return value
    if kind != "header" or not colon:
        raise ValueError('must be "session", "prefix", "user" or "header:" with the name of a header')
    return f"header:{header(name)}"


def for_any_error(value: object) -> object:
    """A list of fallbacks stands for those after any error."""
    return {"any": value} if isinstance(value, list) else value


def one_or_more(value: object) -> object:
    """A text may stand for the list that has only it."""
    return [value] if isinstance(value, str) else value


def _url(value: str) -> str:
    """The origin of a plain HTTP URL; empty where `value` is not one."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return ""
    plain = value.isascii() and value.isprintable() and not set(value) & set(" \\@?#")
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
