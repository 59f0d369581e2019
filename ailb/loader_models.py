"""Which models there are: what the providers offer, and what the `[[model]]` tables make of it.

Targets on a provider that is off are left out; a model that loses all of them is not served. Names that nobody could ever serve are
refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from ailb import config
from ailb.abilities import ABILITIES
from ailb.config_errors import hint, quoted, unknown
from ailb.dialect import Target
from ailb.errors import ConfigError, ModelNotFound
from ailb.known_models import lacking
from ailb.loader_providers import Source
from ailb.models import Models, Named, Route, overlap
from ailb.plugins import named

_OFFERED: Final = config.Target(provider="any")
"""What is said of a target that no table names: nothing."""


def models(tables: Sequence[config.Model], default: str, sources: Mapping[str, Source]) -> Models:
    """The default is left out where the only providers that serve it are off. Raises ConfigError."""
    _check_names(tables)
    for table in tables:
        for number, target in enumerate(table.targets):
            _check_target(target, f"{_where(table)}.targets[{number}]", table.name, sources)
    _check_offers(tables, sources)
    known = _known(tables, sources)
    routes = {name: _route(table, known) for table in tables for name in (table.name, *table.aliases)}
    offers = {name: source.offers for name, source in sources.items() if not source.off}
    served = Models(offers, _named(tables, sources, _is_on), routes=routes, made=partial(_offered, sources))
    if default:
        _check_served("default_model", default, known)
        if _serves(served, default) or any(source.open and not source.off for source in sources.values()):
            served.default = default
    return served


def _where(table: config.Model) -> str:
    return f"[[model]] {quoted(table.name)}"


def _check_names(tables: Sequence[config.Model]) -> None:
    names = [table.name for table in tables]
    aliases = [alias for table in tables for alias in table.aliases]
    for table in tables:
        if names.count(table.name) > 1:
            raise ConfigError(_where(table), "stands twice")
        for number, alias in enumerate(table.aliases):
            where = f"{_where(table)}.aliases[{number}]"
            if alias in names:
                raise ConfigError(where, f"{quoted(alias)} is the name of a model")
            if aliases.count(alias) > 1:
                raise ConfigError(where, f"{quoted(alias)} stands twice")


def _check_target(table: config.Target, where: str, name: str, sources: Mapping[str, Source]) -> None:
    if table.provider not in sources:
        raise ConfigError(f"{where}.provider", unknown("provider", table.provider, sources))
    source, model = sources[table.provider], table.model or name
    fits = fnmatchcase if table.model else overlap
    if not any(fits(model, offer) for offer in source.might_offer):
        raise ConfigError(f"{where}.model", f"{table.provider} has " + unknown("model", model, source.offers))
    for number, ability in enumerate(table.lacks or ()):
        if ability not in ABILITIES:
            raise ConfigError(f"{where}.lacks[{number}]", unknown("ability", ability, ABILITIES))


def _check_offers(tables: Sequence[config.Model], sources: Mapping[str, Source]) -> None:
    """Nothing could ever reach a provider without models."""
    reached = {target.provider for table in tables for target in table.targets}
    for name, source in sources.items():
        if not (source.offers or source.discover or source.off or name in reached):
            where = f'[[provider]] "{name}".models'
            raise ConfigError(where, "is missing: this kind has no list of its own, and it is not asked for one")


def _known(tables: Sequence[config.Model], sources: Mapping[str, Source]) -> Models:
    """What might be served if all were on. Of those that are off only lists count, not stand-ins: who might offer anything would vouch
    for every slip of the pen.
    """
    lists = {name: source.offers if source.off else source.might_offer for name, source in sources.items()}
    return Models(
        {name: offers for name, offers in lists.items() if not (sources[name].off and sources[name].stand_in)},
        _named(tables, sources, lambda source: True),
    )


def _check_served(where: str, name: str, known: Models) -> None:
    if not _serves(known, name):
        raise ConfigError(where, f"nobody serves {quoted(name)}{hint(name, known.names())}")


def _serves(models: Models, name: str) -> bool:
    try:
        return bool(models.targets(name))
    except ModelNotFound:
        return False


def _route(table: config.Model, known: Models) -> Route:
    where = _where(table)
    if table.strategy and ":" in table.strategy and not callable(named(table.strategy, f"{where}.strategy")):
        raise ConfigError(f"{where}.strategy", f"{quoted(table.strategy)} is not a function")
    fallbacks = {cause: tuple(names) for cause, names in table.fallbacks if names}
    for cause, names in fallbacks.items():
        for number, name in enumerate(names):
            at = f"{where}.fallbacks.{cause}[{number}]"
            if name in (table.name, *table.aliases):
                raise ConfigError(at, "is the model itself")
            if "*" in name:
                raise ConfigError(at, f"{quoted(name)} must be one model, not a pattern")
            _check_served(at, name, known)
    return Route(table.strategy, table.sticky, table.retries, table.hedge, fallbacks)


def _is_on(source: Source) -> bool:
    return not source.off


def _named(tables: Sequence[config.Model], sources: Mapping[str, Source], wanted: Callable[[Source], bool]) -> dict[str, Named]:
    """The tables by name and alias, with the targets on those providers that are `wanted`; those without any are left out."""
    found: dict[str, Named] = {}
    for table in tables:
        targets = [target for target in table.targets if wanted(sources[target.provider])]
        if targets:
            serve = partial(_served, targets, sources)
            one = None if "*" in table.name else serve(table.name)
            found.update({name: one or (serve if "*" in name else serve(name)) for name in (table.name, *table.aliases)})
    return found


def _served(tables: Sequence[config.Target], sources: Mapping[str, Source], name: str) -> list[Target]:
    """A target that names no model is asked for the very `name` that a client asks for."""
    return [target for table in tables for target in _each(sources[table.provider], table, table.provider, table.model or name)]


def _offered(sources: Mapping[str, Source], provider: str, model: str) -> list[Target]:
    return list(_each(sources[provider], _OFFERED, provider, model))


def _each(source: Source, table: config.Target, provider: str, model: str) -> Iterator[Target]:
    """One for each of the provider's keys: each is limited, and gets well, on its own."""
    known = lacking(model) if source.genuine else frozenset[str]()
    lacks, tags = known if table.lacks is None else frozenset(table.lacks), frozenset(table.tags)
    for credential in range(source.keys):
        weight = table.weight / source.keys
        yield Target(provider, model, weight, table.priority, credential, table.max_parallel, table.context, lacks, tags)
