from pathlib import Path
from typing import Any

import pytest

from ailb.clock import Clock
from ailb.config import parse
from ailb.embed import Embedders
from ailb.embedding import Embedded
from ailb.errors import ConfigError
from ailb.keys import Keys
from ailb.ledger import Ledger
from ailb.loader import load
from ailb.meter import Meter
from ailb.metrics import Metrics
from ailb.records import Records
from ailb.replays import Replays
from ailb.retrieval import Shelves
from ailb.services import Services, store
from ailb.sessions import Sessions

TAIL = '[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n'


class Paying:
    """A layer with money."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def __call__(self, exchange: Any, call_next: Any) -> Any:
        return await call_next(exchange)


PAYING = f'[[layer]]\nuse = "{__name__}:Paying"\n{TAIL}'


def services(folder: Path, text: str) -> Services:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return Services({Clock: Clock(), Meter: Metrics()}, folder / "config.toml", {})


def test_a_configuration_without_money_makes_no_store(tmp_path: Path) -> None:
    there = services(tmp_path, TAIL)
    load(tmp_path / "config.toml", {}, there)
    assert there.start() is None


def test_a_layer_that_asks_for_money_gets_it_and_no_file_is_touched(tmp_path: Path) -> None:
    there = services(tmp_path, f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/a.db"\n{PAYING}')
    layer: Any = load(tmp_path / "config.toml", {}, there).layers[0]
    made = there.start()
    assert made is not None
    assert layer.ledger is made.ledger is there[Ledger]
    stored = (made.keys, made.replays, made.sessions, made.embeddings)
    assert stored == (there[Keys], there[Replays], there[Sessions], there[Embedded])
    assert ["config.toml"] == [path.name for path in tmp_path.iterdir()]


def test_what_there_is_can_be_listed_without_making_it(tmp_path: Path) -> None:
    there = services(tmp_path, TAIL)
    assert {Clock, Meter, Ledger, Keys, Replays, Sessions, Embedded, Shelves, Records, Embedders} == set(there)
    assert len(there) == 10
    assert (True, False) == (Ledger in there, int in there)
    assert there.start() is None
    with pytest.raises(KeyError):
        there[int]


def test_a_reload_cannot_open_a_store(tmp_path: Path) -> None:
    there = services(tmp_path, TAIL)
    there.start()
    with pytest.raises(ConfigError, match="restart"):
        there[Ledger]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[store]\nurl = "mysql://x"\n', "sqlite"),
        ("[server]\nworkers = 2\n", "postgresql"),
    ],
)
def test_a_store_that_cannot_be_is_refused_before_anything_is_served(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path / "config.toml", {}, services(tmp_path, text + PAYING))


def test_weeks_and_months_begin_where_the_configuration_says() -> None:
    layers = {"layer": [{"use": "routing"}], "provider": [{"name": "echo"}]}
    config = parse({**layers, "store": {"week_starts": "sunday", "month_starts": 15}}, {})
    made = store(config, Clock(), serving=False)
    assert (6, 15) == (made.database.windows.week_starts, made.database.windows.month_starts)
