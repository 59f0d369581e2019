"""What each contender is started with."""

import tomllib
from pathlib import Path

import pytest

from benchmarks.contenders import AILB, ENGINES, FLOOR, FULL, MONEY, Engine, Site, ailb_config


def site(folder: Path, engine: Engine = "uvicorn") -> Site:
    return Site(engine, 4711, "http://127.0.0.1:4712", folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_config_is_toml_with_one_provider_behind_two_layers(engine: Engine, tmp_path: Path) -> None:
    config = tomllib.loads(ailb_config(site(tmp_path, engine)))
    assert config["server"] == {"host": "127.0.0.1", "port": 4711, "engine": engine}
    assert [layer["use"] for layer in config["layer"]] == ["access", "routing"]
    assert [provider["base_url"] for provider in config["provider"]] == ["http://127.0.0.1:4712/v1"]


def test_ailb_is_given_a_file_that_is_there(tmp_path: Path) -> None:
    arguments = AILB.arguments(site(tmp_path))
    assert arguments[:4] == ["-m", "ailb", "serve", "--config"]
    assert Path(arguments[4]).read_text() == ailb_config(site(tmp_path))


def test_the_stack_with_money_has_a_store_of_its_own_and_a_price(tmp_path: Path) -> None:
    config = tomllib.loads(Path(MONEY.arguments(site(tmp_path))[4]).read_text())
    assert [layer["use"] for layer in config["layer"]] == list(FULL)
    assert (config["store"], len(config["price"])) == ({"url": f"sqlite+aiosqlite:///{tmp_path}/bench-4711.db"}, 1)


def test_the_floor_is_told_the_engine_the_port_and_the_upstream(tmp_path: Path) -> None:
    assert FLOOR.arguments(site(tmp_path))[2:] == ["uvicorn", "4711", "http://127.0.0.1:4712"]
