from typing import Any

import pytest

from ailb.errors import ConfigError
from ailb.models import PLAIN, Route
from middleware.routing_manners import Manners, found
from middleware.strategies import STRATEGIES

LAYER = Manners("failover", STRATEGIES["failover"], "user", 2, False)


def test_a_model_that_says_nothing_has_the_layers() -> None:
    assert LAYER == LAYER.of(PLAIN)


@pytest.mark.parametrize(
    ("route", "own"),
    [
        (Route(strategy="random"), {"name": "random", "strategy": STRATEGIES["random"]}),
        (Route(sticky=""), {"sticky": ""}),
        (Route(sticky="header:x"), {"sticky": "header:x"}),
        (Route(retries=0), {"retries": 0}),
        (Route(hedge=True), {"hedge": True}),
    ],
)
def test_a_models_own_table_wins(route: Route, own: dict[str, Any]) -> None:
    manners = LAYER.of(route)
    expected = {name: getattr(LAYER, name) for name in ("name", "strategy", "sticky", "retries", "hedge")} | own
    assert expected == {name: getattr(manners, name) for name in expected}


def test_a_strategy_of_ones_own() -> None:
    assert STRATEGIES["random"] is found("middleware.strategies:random", "")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("failovr", r'\[\[model\]\] "m"\.strategy: no strategy .failovr.; did you mean failover'),
        ("no_such_module:f", "cannot be had"),
        ("middleware.strategies:no_such_function", "cannot be had"),
    ],
)
def test_what_is_no_strategy(name: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        found(name, '[[model]] "m"')


@pytest.mark.parametrize("wrong", [{"sticky": "moon"}, {"retries": 11}, {"retries": -1}])
def test_options_that_make_no_sense(wrong: dict[str, Any]) -> None:
    options: dict[str, Any] = {"sticky": "", "retries": 0} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Manners("random", STRATEGIES["random"], hedge=False, **options)
