from benchmarks.routing_layer import TARGETS, layer, measured
from middleware.strategies import STRATEGIES


def test_every_strategy_is_measured_with_targets_whose_price_is_known() -> None:
    assert list(STRATEGIES) == list(measured(1, 3))
    desk = layer("cost_optimized")._desk
    served = desk.known.served("fake-model")
    assert TARGETS == len(served.targets)
    assert all(desk.prices.rates(target) for target in served.targets)
