"""What a configuration makes, in words: for `ailb check`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ailb.clock import Clock
from ailb.loader import Snapshot, load
from ailb.meter import Meter
from ailb.metrics import Metrics


def report(path: Path, environ: Mapping[str, str]) -> str:
    """Raises ConfigError."""
    services: dict[type, Any] = {Clock: Clock(), Meter: Metrics()}
    snapshot = load(path, environ, services)
    parts = [_onion(snapshot), _table("providers", _provider_rows(snapshot)), _table("models", _model_rows(snapshot)), "ok\n"]
    return "\n".join(part for part in parts if part)


def _onion(snapshot: Snapshot) -> str:
    steps = ["edge"]
    for layer in snapshot.config.layer:
        options = ", ".join(f"{name} = {value}" for name, value in layer.options.items())
        steps.append(f"{layer.use} ({options})" if options else layer.use)
    return " ─▶ ".join([*steps, "provider"]) + "\n"


def _provider_rows(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    rows = []
    for table in snapshot.config.provider:
        where = table.base_url or ("its own address" if table.kind != "echo" else "no network")
        rows.append((table.name, "on", f"{table.kind or table.name}, {where}"))
    return rows + [(name, "off", why) for name, why in snapshot.config.switched_off.items()]


def _model_rows(snapshot: Snapshot) -> list[tuple[str, str]]:
    offers = [(f"{offer} (pattern)", provider) for provider, offers in snapshot.models.offers.items() for offer in offers if "*" in offer]
    return [(name, ", ".join(map(str, snapshot.models.targets(name)))) for name in snapshot.models.names()] + offers


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{title}:", *lines, ""])
