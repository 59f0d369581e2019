from collections.abc import Sequence
from random import Random

from ailb.dialect import Target
from ailb.health import Health
from ailb.strategy import Asked, Ranking, Strategy
from ailb.testing import ask


def by_name(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    return sorted(((float(len(health.target.provider)), health) for health in healths), key=lambda scored: scored[0])


def test_a_function_of_ones_own_is_a_strategy() -> None:
    strategy: Strategy = by_name
    healths = [Health(Target("longer", "m")), Health(Target("short", "m"))]
    exchange = ask()
    ranking = strategy(Asked(exchange.prompt, exchange.caller, 1, 0.0, lambda target: None), healths, Random(1))
    assert [(5.0, "short"), (6.0, "longer")] == [(score, health.target.provider) for score, health in ranking]
