"""Who is measured: a name, and what Python is told to run. A new contender is a new row."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
    """`arguments` makes what comes after `python`, and writes the files that it needs.

    `environ` is added to the environment, `start_seconds` are enough for a first answer. One that is not `faithful` may leave away or add
    members of an answer, and cut a stream into other events, as long as the text is the same.
    """

    name: str
    arguments: Callable[[Site], list[str]]
    python: str = sys.executable
    environ: tuple[tuple[str, str], ...] = ()
    start_seconds: float = 20.0
    faithful: bool = True


SHORT = ("access", "routing")
"""The shortest onion that serves."""

FULL = ("access", "auth", "ratelimit", "budget", "routing")


def ailb_config(site: Site, layers: Sequence[str] = SHORT) -> str:
    """In front of one provider, which is not free."""
    server = table("[server]", host="127.0.0.1", port=site.port, engine=site.engine)
    store = table("[store]", url=f"sqlite+aiosqlite:///{site.folder}/bench-{site.port}.db") if "budget" in layers else ""
    price = table("[[price]]", model="*", input=2.5, output=10.0) if "budget" in layers else ""
    url = f"{site.upstream}/v1"
    provider = table("[[provider]]", name="bench", kind="openai", base_url=url, api_key="sk-bench", models=["*"], local=True)
    return "\n".join([server, store, *(table("[[layer]]", use=name) for name in layers), provider, price])


def table(header: str, **values: object) -> str:
    """JSON's strings, numbers and lists are TOML's too."""
    return f"{header}\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def _floor(site: Site) -> list[str]:
    return ["-m", "benchmarks.floor", site.engine, str(site.port), site.upstream]


def _ailb(site: Site, layers: Sequence[str] = SHORT) -> list[str]:
    config = site.folder / f"ailb-{site.port}.toml"
    config.write_text(ailb_config(site, layers))
    return ["-m", "ailb", "serve", "--config", str(config)]


FLOOR = Contender("floor", _floor)
AILB = Contender("ailb", _ailb)
MONEY = Contender("money", partial(_ailb, layers=FULL))
"""Not measured beside the floor, but beside AILB: what keys, limits, budgets and the ledger cost. See `benchmarks.money`."""

CONTENDERS = {contender.name: contender for contender in (FLOOR, AILB)}
