"""What a configuration makes, in words: for `ailb check`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ailb import config
from ailb.clock import Clock
from ailb.embed_none import NoEmbedder
from ailb.environment import confidential
from ailb.errors import ModelNotFound
from ailb.loader import Snapshot, load
from ailb.meter import Meter
from ailb.metrics import Metrics
from ailb.models import Route
from ailb.secret import HIDDEN, scrub
from ailb.services import Services
from ailb.tally import Tally

_PASSWORD = re.compile(r"://[^/]*@")
_CONFIDENTIAL = re.compile(r"key|token|secret|passw|credential|headers")


def report(path: Path, environ: Mapping[str, str]) -> str:
    """Raises ConfigError."""
    metrics = Metrics()
    snapshot = load(path, environ, Services({Clock: Clock(), Meter: metrics, Tally: metrics.tally}, path, environ))
    parts = (_onion(snapshot), _embedder(snapshot), _table("providers", _providers(snapshot)), _table("models", _models(snapshot)), "ok\n")
    return scrub("\n".join(part for part in parts if part), *confidential(environ))


def _onion(snapshot: Snapshot) -> str:
    return " -> ".join(["edge", *map(_layer, snapshot.config.layer), "provider"]) + "\n"


def _layer(table: config.Layer) -> str:
    options = ", ".join(f"{name} = {HIDDEN if _is_secret(name, value) else value}" for name, value in table.options.items())
    return f"{table.use} ({options})" if options else table.use


def _embedder(snapshot: Snapshot) -> str:
    """Where the file has a word to say about it."""
    if "embed" not in snapshot.config.model_fields_set:
        return ""
    embedder = snapshot.embedder
    why = f" ({embedder.problem})" if isinstance(embedder, NoEmbedder) else ""
    return f"embedder {embedder.name or 'none'}{why}\n"


def _is_secret(name: str, value: object) -> bool:
    """A number is none; a URL with a password in it is one, whatever it is called."""
    return not isinstance(value, int | float) and (
        _CONFIDENTIAL.search(name.lower()) is not None or _PASSWORD.search(str(value)) is not None
    )


def _providers(snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
    for table in snapshot.config.provider:
        kind = "" if table.kind in ("", table.name) else f"{table.kind} "
        address = kind + (table.base_url or "")
        if reason := snapshot.off.get(table.name):
            yield table.name, "off", reason
        else:
            keys = f"{len(table.keys)} keys" if len(table.keys) > 1 else ""
            yield table.name, "stand-in" if table.stand_in else "on", ", ".join(filter(None, (address.strip(), keys)))


def _models(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    models = snapshot.models
    aliases = {alias: table.name for table in snapshot.config.model for alias in table.aliases}
    for name in dict.fromkeys([*(table.name for table in snapshot.config.model), *aliases, *models.names()]):
        try:
            targets = ", ".join(dict.fromkeys(map(str, models.targets(name))))  # one with several keys is there as often
        except ModelNotFound:
            targets = "not served: its providers are off"
        yield name, f"as {aliases[name]}" if name in aliases else "; ".join([targets, *_route(models.route(name))])
    for table in snapshot.config.provider:
        offers = models.offers.get(table.name, ())
        yield from ((offer, f"{table.name}/*") for offer in offers if "*" in offer)
        if table.name not in snapshot.off and (table.discover or not (offers or table.discover is False)):
            yield f"{table.name}/*", "will be asked for"
    if default := snapshot.config.default_model:
        yield "(none named)", default if models.default else f"refused: nobody serves {default} now"


def _route(route: Route) -> Iterator[str]:
    """What a `[[model]]` says of how it is served."""
    if route.strategy:
        yield route.strategy
    for cause, names in route.fallbacks.items():
        yield f"after {'any error' if cause == 'any' else cause}: {', '.join(names)}"


def _table(title: str, rows: Iterator[Sequence[str]]) -> str:
    lines = list(rows)
    if not lines:
        return ""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    cells = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join([title, *(f"  {line.rstrip()}" for line in cells), ""])
