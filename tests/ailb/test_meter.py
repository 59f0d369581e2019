from ailb.meter import Meter
from ailb.metrics import Metrics


def test_the_metrics_are_a_meter() -> None:
    meter: Meter = Metrics()
    assert callable(meter.request)
    assert callable(meter.shadow)
