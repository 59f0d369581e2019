"""The embedder that the configuration names, built and checked, nothing opened yet."""

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any, Final

from ailb import config
from ailb.config_errors import quoted, unknown
from ailb.dialect import Target
from ailb.embed_local import LocalEmbedder
from ailb.embed_none import NoEmbedder
from ailb.embed_provider import ProviderEmbedder
from ailb.embedding import Embedded, Embedder
from ailb.errors import ConfigError
from ailb.ledger import Ledger
from ailb.loader_providers import Source
from ailb.options import Services, construct
from ailb.plugins import named
from ailb.rates import Prices

WHERE: Final = "[embed].embedder"
_LOCALS: Final = frozenset({"model_path", "threads", "preload"})
"""The keys that are for the local one only."""


class Embedders:
    """A service of the process: its local embedder, which is loaded once, however often the configuration is."""

    def __init__(self) -> None:
        self._made: dict[config.Embed, LocalEmbedder] = {}

    def local(self, table: config.Embed) -> LocalEmbedder:
        """Raises ConfigError."""
        made = self._made.get(table)
        if made is None:
            made = LocalEmbedder(model_path=table.model_path, threads=table.threads, preload=table.preload)
            self._made = {table: made}
        return made


def embedder(table: config.Embed, sources: Mapping[str, Source], services: Services) -> Embedder:
    """`services` are what it may ask for. Raises ConfigError.

    The local one is the default: where it is not installed, and nobody has asked for it by name, there is none.
    """
    kind = table.embedder
    if kind == "local":
        _check_keys(table, _LOCALS)
        try:
            return (services.get(Embedders) or Embedders()).local(table)
        except ConfigError as problem:
            if table.model_fields_set & {"embedder", *_LOCALS}:
                raise
            return NoEmbedder(problem.problem)
    if kind == "none":
        _check_keys(table)
        return NoEmbedder()
    if ":" in kind and "/" not in kind:
        return _own(table, services)
    _check_keys(table)
    return _of_provider(kind, sources, services)


def _check_keys(table: config.Embed, known: frozenset[str] = frozenset()) -> None:
    for key in sorted((table.model_fields_set - {"embedder"} - known) | table.options.keys()):
        if key not in known:
            raise ConfigError(f"[embed].{key}", f"is no option of the embedder {quoted(table.embedder)}")


def _own(table: config.Embed, services: Services) -> Embedder:
    cls = named(table.embedder, WHERE)
    made: Any = construct(cls, "[embed]", {**table.options, **_said(table)}, services)
    if not iscoroutinefunction(getattr(cls, "embed", None)) or not isinstance(getattr(made, "name", None), str):
        raise ConfigError(WHERE, f"{cls.__name__} is no embedder: it needs a name and `async def embed(self, texts, *, user)`")
    if not made.name or not hasattr(made, "dimension"):
        raise ConfigError(WHERE, f"{cls.__name__} is no embedder: its name is empty, or it has no dimension")
    own: Embedder = made
    return own


def _said(table: config.Embed) -> dict[str, Any]:
    """Keys of the local one, if they stand in the file: an embedder of one's own may have options of the same names."""
    return {key: getattr(table, key) for key in table.model_fields_set & _LOCALS}


def _of_provider(kind: str, sources: Mapping[str, Source], services: Services) -> Embedder:
    provider, slash, model = kind.partition("/")
    if not slash or not model:
        raise ConfigError(WHERE, f'{quoted(kind)} must be "local", "none", "provider/model" or "package.module:Class"')
    if provider not in sources:
        raise ConfigError(WHERE, unknown("provider", provider, sources))
    source, target = sources[provider], Target(provider, model)
    if source.off:
        return NoEmbedder(f"{provider} is off: {source.off}", str(target))
    asked: Any = source.provider
    if not getattr(asked, "embeds", False):
        raise ConfigError(WHERE, f"{provider} has no embeddings")
    return ProviderEmbedder(asked, target, services[Ledger], services[Prices], services[Embedded])
