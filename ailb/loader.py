"""From a configuration to a snapshot that can serve: layers, providers and models, built and checked, nothing opened yet."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2s
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

from ailb.config import Config, read
from ailb.config import Layer as LayerTable
from ailb.config import Provider as ProviderTable
from ailb.dialect import Target
from ailb.errors import ConfigError, ModelNotFound
from ailb.identity import Identity
from ailb.models import Models, nearest
from ailb.options import construct, unknown
from ailb.provider import Settings, Timeouts
from ailb.stack import Innermost, Layer, Next, Provider, stack

ORDER = ("access", "auth", "ratelimit", "budget", "memory", "rag", "routing")
"""Outermost first. Money is held before the prompt grows, and the target is picked last, when all is known."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One configuration, ready to serve. `version` changes when the configuration does."""

    config: Config
    layers: Sequence[Layer]
    providers: Mapping[str, Provider]
    models: Models
    call: Next
    version: str


def load(path: Path, environ: Mapping[str, str], services: Mapping[type, Any]) -> Snapshot:
    """Raises ConfigError. `services` are what layers may ask for by type, besides Models and Identity."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # a user's own layers lie beside the config
    return build(read(path, environ), services)


def build(config: Config, services: Mapping[type, Any]) -> Snapshot:
    """As `load`, from a config that was read."""
    _check_exposure(config)
    providers, offers = _providers(config)
    models = Models(offers, dict(_named_models(config, offers)), config.default_model)
    if config.default_model:
        _check_served(config.default_model, models)
    identity = Identity(config.auth.admin_key, config.auth.required)
    layers = _layers(config.layer, {**services, Models: models, Identity: identity})
    version = blake2s(repr(config).encode(), digest_size=4).hexdigest()
    return Snapshot(config, layers, providers, models, stack(layers, Innermost(providers)), version)


def named(name: str, where: str) -> Any:
    """What `package.module:Name` names. Raises ConfigError."""
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ConfigError(where, f"{name!r} must be package.module:Name")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as problem:
        raise ConfigError(where, f"{name!r} cannot be imported: {problem}") from None
    except AttributeError:
        raise ConfigError(where, f"module {module} has no {attribute!r}") from None


def is_loopback(host: str) -> bool:
    """Whether binding to `host` leaves the gateway reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_exposure(config: Config) -> None:
    if config.auth.admin_key:
        if config.auth.required and all(layer.use != "auth" for layer in config.layer):
            raise ConfigError("[[layer]]", "auth.admin_key is set, but no auth layer asks for keys; add one, or set auth.required = false")
    elif not is_loopback(config.server.host):
        where = "[server].host"
        raise ConfigError(where, f"{config.server.host} can be reached from outside; set auth.admin_key (or AILB_ADMIN_KEY) first")


def _layers(tables: Sequence[LayerTable], services: Mapping[type, Any]) -> list[Layer]:
    uses = [table.use for table in tables]
    known = [use for use in uses if use in ORDER]
    if uses[-1] != "routing":
        raise ConfigError("[[layer]]", 'the last layer must be "routing"')
    for use in known:
        if known.count(use) > 1:
            raise ConfigError(f'[[layer]] "{use}"', "stands twice")
    for before, after in pairwise(known):
        if ORDER.index(before) > ORDER.index(after):
            raise ConfigError(f'[[layer]] "{before}"', f'must come after "{after}"; the order is {", ".join(ORDER)}')
    return [_layer(table, services) for table in tables]


def _layer(table: LayerTable, services: Mapping[type, Any]) -> Layer:
    where = f'[[layer]] "{table.use}"'
    layers = _installed("ailb.layers")
    if ":" not in table.use and table.use not in layers:
        raise ConfigError(where, unknown("layer", table.use, layers))
    cls = named(layers.get(table.use, table.use), where)
    layer: Layer = construct(cls, where, table.options, services)
    return layer


def _providers(config: Config) -> tuple[dict[str, Provider], dict[str, tuple[str, ...]]]:
    providers: dict[str, Provider] = {}
    offers: dict[str, tuple[str, ...]] = {}
    for table in config.provider:
        where = f'[[provider]] "{table.name}"'
        if table.name in providers:
            raise ConfigError(where, "stands twice")
        providers[table.name], known = _provider(table, where)
        offers[table.name] = tuple(known if table.models is None else table.models)
    return providers, offers


def _provider(table: ProviderTable, where: str) -> tuple[Provider, Sequence[str]]:
    """The provider, and the models that its kind has unless the table says otherwise."""
    kind = table.kind or table.name
    classes = _installed("ailb.providers")
    if kind in classes and kind != "http":
        return construct(named(classes[kind], where), where, table.options, {}), ("*",)
    rows = catalog()
    if kind not in rows:
        raise ConfigError(f"{where}.kind", unknown("kind of provider", kind, [*rows, *(k for k in classes if k != "http")]))
    row = rows[kind]
    base_url = table.base_url or row.base_url
    if not base_url:
        raise ConfigError(f"{where}.base_url", "is missing, and this kind has no address of its own")
    if not row.local and row.auth != "none" and not table.api_key:
        raise ConfigError(f"{where}.api_key", "is missing")
    settings = Settings(
        name=table.name,
        base_url=base_url,
        auth=row.auth,
        api_key=table.api_key,
        headers=table.headers,
        query={**row.query, **table.query},
        timeouts=Timeouts(**table.timeouts.model_dump()),
        max_answer_bytes=table.max_answer_bytes,
        local=row.local if table.local is None else table.local,
    )
    dialect_class = named(_installed("ailb.dialects")[row.dialect], where)
    given = {key: getattr(row, key) for key in ("quirks", "chat_path", "models_path") if key in signature(dialect_class).parameters}
    dialect = construct(dialect_class, where, {**given, **table.options}, {})
    provider: Provider = named(classes["http"], where)(dialect, settings)
    return provider, row.models


def catalog() -> Mapping[str, Any]:
    """The kinds of provider that are rows of data."""
    rows: dict[str, Any] = {}
    for where in _installed("ailb.catalogs").values():
        rows.update(named(where, "ailb.catalogs"))
    return rows


def _named_models(config: Config, offers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, list[Target]]]:
    """Targets on a provider that is switched off are left out; a model that loses all of them is not served."""
    names = [model.name for model in config.model]
    for model in config.model:
        where = f'[[model]] "{model.name}"'
        if names.count(model.name) > 1:
            raise ConfigError(where, "stands twice")
        targets = []
        for target in model.targets:
            if target.provider in config.switched_off:
                continue
            if target.provider not in offers:
                raise ConfigError(f"{where}.targets", unknown("provider", target.provider, [*offers, *config.switched_off]))
            targets.append(Target(target.provider, target.model, target.weight, target.priority))
        if targets:
            yield model.name, targets


def _check_served(model: str, models: Models) -> None:
    try:
        models.targets(model)
    except ModelNotFound:
        like = nearest(model, models.names())
        raise ConfigError("default_model", f"nobody serves {model!r}" + (f"; did you mean {', '.join(like)}?" if like else "")) from None


@cache
def _installed(group: str) -> Mapping[str, str]:
    """Entry points by name. Reading the installed packages' metadata takes a while, and it does not change under a running process."""
    return {point.name: point.value for point in entry_points(group=group)}
