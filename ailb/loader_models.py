"""Which models there are: what the providers offer, and what the `[[model]]` tables make of it.

Targets on a provider that is off are left out; a model that loses all of them is not served. Names that nobody could ever serve are
refused.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from ailb import config
from ailb.config_errors import hint, quoted, unknown
from ailb.dialect import Target
from ailb.errors import ConfigError, ModelNotFound
from ailb.loader_providers import Source
from ailb.models import Models


def models(tables: Sequence[config.Model], default: str, sources: Mapping[str, Source]) -> Models:
    """The default is left out where the only providers that serve it are off. Raises ConfigError."""
    named: dict[str, list[Target]] = {}
    for table in tables:
        where = f'[[model]] "{table.name}"'
        if table.name in named:
            raise ConfigError(where, "stands twice")
        named[table.name] = [_target(target, f"{where}.targets[{n}]", table.name, sources) for n, target in enumerate(table.targets)]
    _check_offers(named, sources)
    served = Models({name: source.offers for name, source in sources.items() if not source.off}, _on(named, sources))
    if default:
        _check_default(default, named, sources)
        if _serves(served, default) or any(source.open and not source.off for source in sources.values()):
            served.default = default
    return served


def _target(table: config.Target, where: str, name: str, sources: Mapping[str, Source]) -> Target:
    if table.provider not in sources:
        raise ConfigError(f"{where}.provider", unknown("provider", table.provider, sources))
    source, model = sources[table.provider], table.model or name
    if not any(fnmatchcase(model, offer) for offer in source.might_offer):
        raise ConfigError(f"{where}.model", f"{table.provider} has " + unknown("model", model, source.offers))
    return Target(table.provider, model, table.weight, table.priority)


def _on(named: Mapping[str, Sequence[Target]], sources: Mapping[str, Source]) -> dict[str, list[Target]]:
    on = {name: [target for target in targets if not sources[target.provider].off] for name, targets in named.items()}
    return {name: targets for name, targets in on.items() if targets}


def _check_offers(named: Mapping[str, Sequence[Target]], sources: Mapping[str, Source]) -> None:
    """Nothing could ever reach a provider without models."""
    reached = {target.provider for targets in named.values() for target in targets}
    for name, source in sources.items():
        if not (source.offers or source.discover or source.off or name in reached):
            where = f'[[provider]] "{name}".models'
            raise ConfigError(where, "is missing: this kind has no list of its own, and it is not asked for one")


def _check_default(default: str, named: Mapping[str, Sequence[Target]], sources: Mapping[str, Source]) -> None:
    """Of those that are off only lists count, not stand-ins: who might offer anything would vouch for every slip of the pen."""
    lists = {name: source.offers if source.off else source.might_offer for name, source in sources.items()}
    known = Models({name: offers for name, offers in lists.items() if not (sources[name].off and sources[name].stand_in)}, named)
    if not _serves(known, default):
        raise ConfigError("default_model", f"nobody serves {quoted(default)}{hint(default, known.names())}")


def _serves(models: Models, name: str) -> bool:
    try:
        return bool(models.targets(name))
    except ModelNotFound:
        return False
