"""Who is measured: a name, and what Python is told to run. A new contender is a new row."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Engine = Literal["hypercorn", "uvicorn"]
ENGINES: tuple[Engine, ...] = ("hypercorn", "uvicorn")


@dataclass(frozen=True, slots=True)
class Site:
    """What a contender is given: the server to run on, a port, an upstream, and a folder to write to."""

    engine: Engine
    port: int
    upstream: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Contender:
    """`arguments` makes what comes after `python`, and writes the files that it needs."""

    name: str
    arguments: Callable[[Site], list[str]]


def ailb_config(site: Site) -> str:
    """The shortest onion that serves, in front of one provider."""
    server = _table("[server]", host="127.0.0.1", port=site.port, engine=site.engine)
    layers = [_table("[[layer]]", use=name) for name in ("access", "routing")]
    url = f"{site.upstream}/v1"
    provider = _table("[[provider]]", name="bench", kind="openai", base_url=url, api_key="sk-bench", models=["*"], local=True)
    return "\n".join([server, *layers, provider])


def _table(header: str, **values: object) -> str:
    """JSON's strings, numbers and lists are TOML's too."""
    return f"{header}\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def _floor(site: Site) -> list[str]:
    return ["-m", "benchmarks.floor", site.engine, str(site.port), site.upstream]


def _ailb(site: Site) -> list[str]:
    config = site.folder / f"ailb-{site.port}.toml"
    config.write_text(ailb_config(site))
    return ["-m", "ailb", "serve", "--config", str(config)]


FLOOR = Contender("floor", _floor)
AILB = Contender("ailb", _ailb)
CONTENDERS = {contender.name: contender for contender in (FLOOR, AILB)}
