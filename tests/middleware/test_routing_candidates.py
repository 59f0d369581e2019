from typing import Any

import orjson
import pytest

from ailb.dialect import Target
from ailb.errors import ModelNotFound
from ailb.health import Health, Healths
from ailb.models import Models, Route
from ailb.prompt import Prompt
from ailb.rates import FREE, Rates
from ailb.testing import ask
from ailb.testing_money import FixedPrices, WordCounter
from middleware.routing_candidates import MOST_KEPT, TYPICAL_OUTPUT, Considered, Estimate, Known, Served, tokens, unable
from middleware.routing_manners import Manners
from middleware.strategies import STRATEGIES

MANNERS = Manners("random", STRATEGIES["random"], "", 0, False)
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}


class Contexts(FixedPrices):
    def __init__(self, **contexts: int) -> None:
        super().__init__()
        self.contexts = contexts

    def context(self, target: Target) -> int | None:
        return self.contexts.get(target.provider)


def served(*targets: Target, **contexts: int) -> Served:
    models = Models({target.provider: () for target in targets}, {"m": targets}, routes={"m": Route(retries=2)})
    return Known(models, Healths(), Contexts(**contexts), MANNERS).served("m")


def test_what_is_known_of_a_model_is_looked_up_once() -> None:
    models = Models({"a": ("m",)})
    known = Known(models, Healths(), FixedPrices(), MANNERS)
    first = known.served("m")
    assert first is known.served("m")
    models.offer("b", ["m"])
    assert ["a", "b"] == [health.target.provider for health in known.served("m").healths]
    with pytest.raises(ModelNotFound):
        known.served("other")


def test_made_up_models_do_not_fill_the_memory() -> None:
    known = Known(Models({"a": ("*",)}), Healths(), FixedPrices(), MANNERS)
    for number in range(MOST_KEPT + 10):
        known.served(str(number))
    assert len(known._served) <= MOST_KEPT


def test_a_models_route_has_its_manners() -> None:
    assert (2, "random") == (served(Target("a", "m")).manners.retries, served(Target("a", "m")).manners.name)


def test_the_configs_context_wins_over_the_price_lists() -> None:
    model = served(Target("a", "m", context=100), Target("b", "m"), Target("c", "m"), a=7, b=50)
    assert ([100, 50, None], 50) == (model.contexts, model.narrow)


@pytest.mark.parametrize(
    ("body", "out"),
    [
        ({}, {}),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"a": "cannot do tools"}),
        ({"messages": [PICTURE]}, {"a": "cannot do images", "b": "cannot do images"}),
        (
            {"messages": [PICTURE], "functions": [{"name": "f"}]},
            {"a": "cannot do tools, images", "b": "cannot do images"},
        ),
    ],
)
def test_who_cannot_do_what_is_needed_is_out(body: dict[str, Any], out: dict[str, str]) -> None:
    model = served(Target("a", "m", lacks=frozenset({"tools", "images"})), Target("b", "m", lacks=frozenset({"images"})), Target("c", "m"))
    assert out == {health.target.provider: why for health, why in unable(ask(**body).prompt, model, None)}


def test_who_takes_less_than_it_is_is_out() -> None:
    model = served(Target("a", "m", context=100), Target("b", "m", context=200), Target("c", "m"))
    assert {"a": "takes 100 tokens, and these are 101"} == {h.target.provider: why for h, why in unable(ask().prompt, model, 101)}


class Slow(WordCounter):
    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        raise TimeoutError


async def test_only_what_might_not_fit_is_counted() -> None:
    long = ask("word " * 3000).prompt
    assert 3000 == await tokens(long, 15_000, 8000, WordCounter())
    assert await tokens(long, 15_000, 1_000_000, WordCounter()) is None
    assert await tokens(long, 15_000, 8000, Slow()) is None


RATES = Rates.flat({"input": 1000, "output": 2000, "cache_read": 100})


class Priced(FixedPrices):
    def __init__(self, **rates: Rates | None) -> None:
        super().__init__()
        self.known = rates
        self.asked: list[str] = []

    def rates(self, target: Target, tier: str = "") -> Rates | None:
        self.asked.append(target.provider)
        return self.known.get(target.provider)


def test_what_it_would_take() -> None:
    healths = Healths()
    prices = Priced(a=RATES, free=FREE)
    estimate = Estimate(4000, 10, prices, healths)
    target = Target("a", "m")
    plain = estimate.nanos(target)
    assert (0, None) == (estimate.nanos(Target("free", "m")), estimate.nanos(Target("unknown", "m")))
    assert plain is not None
    assert plain == estimate.nanos(target)
    assert 1 == prices.asked.count("a")
    assert plain < (Estimate(4000, None, prices, healths).nanos(target) or 0)
    healths.of(target).cached = 0.9
    assert plain > (Estimate(4000, 10, prices, healths).nanos(target) or 0)


def test_an_answer_without_a_cap_is_typical() -> None:
    def nanos(cap: int | None) -> int | None:
        return Estimate(5, cap, Priced(a=RATES), Healths()).nanos(Target("a", "m"))

    assert nanos(None) == nanos(TYPICAL_OUTPUT)


def test_the_explanation_names_everybody() -> None:
    kept, barred, dropped = (Health(Target(name, "m", credential=place)) for place, name in enumerate("abc"))
    estimate = Estimate(5, None, Priced(a=FREE), Healths())
    considered = Considered([(0.5, kept), (1.5, barred)], [(dropped, "cannot do images")], estimate)
    told = orjson.loads(orjson.dumps(list(considered.plain([(barred, "circuit open")]))))
    assert [
        {"provider": "a", "model": "m", "score": 0.5, "cost_usd": 0.0, "kept": True, "reason": ""},
        {"provider": "b", "model": "m", "score": 1.5, "cost_usd": None, "kept": False, "reason": "circuit open", "credential": 1},
        {"provider": "c", "model": "m", "score": None, "cost_usd": None, "kept": False, "reason": "cannot do images", "credential": 2},
    ] == told
