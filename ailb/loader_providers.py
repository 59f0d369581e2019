"""Providers out of their tables: built and checked, nothing opened yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from ailb import config
from ailb.config_errors import unknown
from ailb.dialect import Dialect
from ailb.environment import unset
from ailb.errors import ConfigError
from ailb.exchange import Drain
from ailb.options import construct
from ailb.plugins import Plugins, Row, named
from ailb.provider import Settings, Timeouts
from ailb.stack import Provider

HTTP: Final = "http"
"""The provider behind every kind that is a row."""

_OF_ALL: Final = frozenset({"name", "kind", "models", "discover", "discover_seconds", "when_env", "stand_in", "free"})


@dataclass(frozen=True, slots=True)
class Source:
    """A provider, what it offers (names and patterns) before it was asked, and why it is off if it is: then nobody may be there.

    `keys` is how many keys it is asked with, 1 where it needs none. `genuine`: it is asked at its kind's own address, where the names of
    models mean what their makers mean by them.
    """

    provider: Provider | None
    offers: tuple[str, ...]
    discover: bool = False
    off: str = ""
    stand_in: bool = False
    keys: int = 1
    genuine: bool = False

    @property
    def open(self) -> bool:
        """Whether it may have models that nobody has named yet."""
        return self.discover or not self.offers

    @property
    def might_offer(self) -> tuple[str, ...]:
        return ("*",) if self.open else self.offers


def sources(tables: Sequence[config.Provider], plugins: Plugins, environ: Mapping[str, str]) -> dict[str, Source]:
    """All of them by name; those that are off are checked too, as far as that goes without what they lack. Raises ConfigError."""
    off = switched_off(tables, environ)
    found: dict[str, Source] = {}
    for table in tables:
        where = f'[[provider]] "{table.name}"'
        if table.name in found:
            raise ConfigError(where, "stands twice")
        reason = off.get(table.name, "")
        provider, models, lists = _built(table, plugins, where, on=not reason)
        offers = tuple(models if table.models is None else table.models)
        discover = lists and not offers if table.discover is None else table.discover
        for key, asked in (("discover", discover), ("health_seconds", table.health_seconds)):
            if asked and not lists:
                raise ConfigError(f"{where}.{key}", "this kind of provider has no list to ask for")
        genuine = (table.kind or table.name) in plugins.rows and not table.base_url
        keys = max(1, len(table.keys))
        found[table.name] = Source(provider, offers, discover, reason, table.stand_in, keys=keys, genuine=genuine)
    if len(off) == len(found):
        raise ConfigError("[[provider]]", "all of them are off: " + "; ".join(f"{name}: {why}" for name, why in off.items()))
    return found


def switched_off(tables: Sequence[config.Provider], environ: Mapping[str, str]) -> dict[str, str]:
    """The providers that do not serve, and why."""
    off = {table.name: reason for table in tables if (reason := unset(table.when_env, environ))}
    if any(table.name not in off and not table.stand_in for table in tables):
        off.update({table.name: "a stand-in, and others are on" for table in tables if table.stand_in})
    return off


def _built(table: config.Provider, plugins: Plugins, where: str, *, on: bool) -> tuple[Provider | None, Sequence[str], bool]:
    """The provider, the models that its kind has unless the table says otherwise, and whether it can be asked for them."""
    kind = table.kind or table.name
    if kind in plugins.rows:
        return _http(table, plugins, where, on=on)
    if kind not in plugins.providers or kind == HTTP:
        raise ConfigError(f"{where}.kind", unknown("kind of provider", kind, {*plugins.rows, *plugins.providers} - {HTTP}))
    for key in sorted(table.model_fields_set - _OF_ALL - table.options.keys()):
        raise ConfigError(f"{where}.{key}", f"{kind} has no such option")
    provider: Provider = construct(named(plugins.providers[kind], where), where, table.options, {}, also=_OF_ALL)
    return provider, ("*",), False


def _http(table: config.Provider, plugins: Plugins, where: str, *, on: bool) -> tuple[Provider | None, Sequence[str], bool]:
    row = plugins.rows[table.kind or table.name]
    if row.dialect not in plugins.dialects:
        raise ConfigError(f"{where}.kind", unknown("dialect", row.dialect, plugins.dialects))
    if on:
        _check_complete(table, row, where)
    cls = named(plugins.dialects[row.dialect], where)
    dialect: Dialect = construct(cls, where, {**dict(_given(row, cls)), **table.options}, {}, also=config.Provider.model_fields)
    # Only who is on needs the transport, and importing that takes a while.
    provider = named(plugins.providers[HTTP], where)(dialect, _settings(table, row)) if on else None
    return provider, row.models, dialect.listing() is not None


def _check_complete(table: config.Provider, row: Row, where: str) -> None:
    variable = table.name.upper().replace("-", "_")
    if not table.base_url and not row.base_url:
        raise ConfigError(f"{where}.base_url", f"is missing, and this kind has no address of its own; {variable}_BASE_URL can set it too")
    if row.auth != "none" and not row.local and not table.keys:
        raise ConfigError(f"{where}.api_key", f"is missing; {variable}_API_KEY can set it too")


def _given(row: Row, dialect: Any) -> Iterator[tuple[str, Any]]:
    """What the row says about the dialect's options."""
    for name in signature(dialect).parameters:
        if hasattr(row, name):
            yield name, getattr(row, name)


def _settings(table: config.Provider, row: Row) -> Settings:
    return Settings(
        name=table.name,
        base_url=table.base_url or row.base_url,
        auth=row.auth,
        api_keys=table.keys,
        headers=table.headers,
        query={**row.query, **table.query},
        timeouts=Timeouts(**table.timeouts.model_dump()),
        max_answer_bytes=table.max_answer_bytes,
        drain=Drain(table.drain_seconds, table.drain_bytes) if table.drain else None,
        local=(row.local or is_written_out(table.base_url or row.base_url)) if table.local is None else table.local,
    )


def is_written_out(base_url: str) -> bool:
    """Whether the address itself stands in the config, or this machine: then it is meant, and no name server has a say in it."""
    host = urlsplit(base_url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
