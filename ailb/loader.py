"""From a configuration to a snapshot that can serve: layers, providers and models, built and checked, nothing opened yet."""

import sys
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2s
from inspect import iscoroutinefunction
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from ailb.aside import Aside
from ailb.clock import Clock
from ailb.config import Config, read, written
from ailb.config import Layer as LayerTable
from ailb.config_errors import quoted, unknown
from ailb.embed import embedder
from ailb.embed_none import NoEmbedder
from ailb.embedding import Embedder
from ailb.environment import confidential
from ailb.errors import ConfigError
from ailb.health import Healths
from ailb.identity import Identity
from ailb.loader_models import models
from ailb.loader_providers import sources
from ailb.models import Models
from ailb.options import Services, construct
from ailb.plugins import Plugins, installed, named
from ailb.prices import PriceList
from ailb.rates import Prices
from ailb.retrieval import Retriever, Shelves
from ailb.secret import scrub
from ailb.stack import Innermost, Layer, Next, Provider, stack
from ailb.tokenizer import Tokenizer
from ailb.tokens import Counter

ORDER: Final = ("access", "otel", "records", "auth", "idempotency", "ratelimit", "shadow", "budget", "memory", "rag", "routing")
"""Outermost first. Money is held before the prompt grows, and the target is picked last, when all is known."""

INNER: Final = ("budget", "routing")
"""What the gateway's own requests go through."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One configuration, ready to serve. `version` changes when the configuration does, unless it is only a secret that does.

    `off` are the providers that do not serve, and why. `healths` are the process's: every snapshot has the same. `text` is what stood in
    the file, if it came from one.
    """

    config: Config
    layers: Sequence[Layer]
    providers: Mapping[str, Provider]
    models: Models
    call: Next
    version: str
    off: Mapping[str, str] = field(default_factory=dict)
    healths: Healths = field(default_factory=Healths)
    embedder: Embedder = field(default_factory=NoEmbedder)
    text: str = field(default="", repr=False)


def load(path: Path, environ: Mapping[str, str], services: Services, text: str | None = None) -> Snapshot:
    """Raises ConfigError, which shows no secret. `services` are what layers may ask for by type, besides those that `build` makes. `text`
    is taken for what stands in the file.
    """
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # a user's own layers lie beside the config
    with _without_secrets(environ):
        text = written(path) if text is None else text
        return replace(build(read(path, environ, text), installed(), environ, services), text=text)


def build(config: Config, plugins: Plugins, environ: Mapping[str, str], services: Services) -> Snapshot:
    """As `load`, from a config that was read."""
    uses = _uses(config.layer, plugins)
    _check_order(uses)
    _check_exposure(config, uses)
    _check_sharing(config, uses)
    for name in config.server.middleware:
        named(name, "[server].middleware")
    found = sources(config.provider, plugins, environ)
    served = models(config.model, config.default_model, found)
    identity = Identity(config.auth.admin_key, config.auth.required, tuple(map(ip_network, config.server.trusted_proxies)))
    prices = PriceList(config.price, config.provider, services.get(Clock) or Clock())
    healths = services.get(Healths) or Healths()
    counter = services.get(Counter) or Tokenizer()
    own: dict[type, Any] = {Models: served, Identity: identity, Prices: prices, Counter: counter, Healths: healths}
    everything = _Offered(own, services)  # type: ignore[arg-type] # nothing is put into the second
    own[Aside] = aside = Aside()
    own[Embedder] = embeds = embedder(config.embed, found, everything)
    layers = [_layer(use, table, plugins, everything) for use, table in zip(uses, config.layer, strict=True)]
    providers = {name: source.provider for name, source in found.items() if source.provider and not source.off}
    aside.call = stack([layer for use, layer in zip(uses, layers, strict=True) if use in INNER], Innermost(providers))
    off = {name: source.off for name, source in found.items() if source.off}
    version = blake2s(repr((config, off)).encode(), digest_size=4).hexdigest()
    return Snapshot(config, layers, providers, served, stack(layers, Innermost(providers)), version, off, healths, embeds)


class _Offered(ChainMap[type, Any]):
    """What the snapshot and the process have, and a retriever that asks the snapshot's embedder: made for who asks for one."""

    def __missing__(self, service: type) -> Any:
        if service is Retriever and Shelves in self:
            return self[Shelves].by(self[Embedder])
        raise KeyError(service)

    def __contains__(self, service: object) -> bool:
        return super().__contains__(service) or (service is Retriever and super().__contains__(Shelves))


def is_loopback(host: str) -> bool:
    """Whether binding to `host` leaves the gateway reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _uses(tables: Sequence[LayerTable], plugins: Plugins) -> list[str]:
    """What each table uses: a name, also where the file spells out the class that has one."""
    names = {where: name for name, where in plugins.layers.items()}
    return [names.get(table.use, table.use) for table in tables]


def _check_order(uses: Sequence[str]) -> None:
    known = [use for use in uses if use in ORDER]
    for use in known:
        if known.count(use) > 1:
            raise ConfigError(f'[[layer]] "{use}"', "stands twice")
    for before, after in pairwise(known):
        if ORDER.index(before) > ORDER.index(after):
            raise ConfigError(f'[[layer]] "{before}"', f"must come after {after}; the order is {', '.join(ORDER)}")
    if "routing" not in uses:
        raise ConfigError("[[layer]]", "there is no routing layer; it must be the last one")
    if uses[-1] != "routing":
        raise ConfigError(f"[[layer]] {quoted(uses[-1])}", "must come before routing, which is the last one")


def _check_exposure(config: Config, uses: Sequence[str]) -> None:
    """Nobody gets an open gateway by accident."""
    host = config.server.host
    if config.auth.admin_key is None and not is_loopback(host):
        raise ConfigError("[server].host", f"{quoted(host)} can be reached from outside; set auth.admin_key (or AILB_ADMIN_KEY) first")
    if config.auth.admin_key is not None and config.auth.required and "auth" not in uses:
        raise ConfigError("[auth].admin_key", 'is set, but no [[layer]] "auth" asks for keys; add one, or set auth.required = false')


def _check_sharing(config: Config, uses: Sequence[str]) -> None:
    """Each process would count for itself what all of them together are to keep to."""
    for use, table in zip(uses, config.layer, strict=True):
        if use == "ratelimit" and config.server.workers > 1 and "redis" not in table.options:
            raise ConfigError('[[layer]] "ratelimit".redis', "is missing, and there are several server.workers; REDIS_URL can set it too")


def _layer(use: str, table: LayerTable, plugins: Plugins, services: Services) -> Layer:
    where = f"[[layer]] {quoted(use)}"
    if ":" not in use and use not in plugins.layers:
        raise ConfigError(where, unknown("layer", use, plugins.layers))
    cls = named(plugins.layers.get(use, use), where)
    layer: Any = construct(cls, where, table.options, services)
    if not iscoroutinefunction(getattr(cls, "__call__", None)):  # noqa: B004 - whether, not if callable: it must be async
        raise ConfigError(where, f"{cls.__name__} is no layer: it has no `async def __call__(self, exchange, call_next)`")
    made: Layer = layer
    return made


@contextmanager
def _without_secrets(environ: Mapping[str, str]) -> Iterator[None]:
    """A name in the wrong place is quoted in the error, and it may be a key."""
    try:
        yield
    except ConfigError as problem:
        secrets = confidential(environ)
        raise ConfigError(scrub(problem.where, *secrets), scrub(problem.problem, *secrets)) from None
