from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from ailb.metrics_text import Exposition
from tests.ailb.driving import driven


def family(*models: str) -> Iterator[Metric]:
    counted = CounterMetricFamily("asked", "How often\nit was asked", labels=["model"])
    gauge = GaugeMetricFamily("busy", "How busy", labels=["model"])
    for number, model in enumerate(models):
        counted.add_metric([model], number)
        gauge.add_metric([model], 0.5)
    yield from (counted, gauge)


def text(exposition: Exposition) -> bytes:
    async def written() -> bytes:
        return b"".join([part async for part in exposition.text()])

    return driven(written())[0]


class Whole(CollectorRegistry):
    def __init__(self, *models: str) -> None:
        super().__init__()
        self._models = models

    def collect(self) -> Iterator[Metric]:
        yield from family(*self._models)


@pytest.mark.parametrize("model", ["a", "", 'a"b', "a\nb", "a\\b", "# HELP asked", "日本"])
def test_what_is_written_in_parts_reads_as_if_it_were_whole(model: str) -> None:
    exposition = Exposition()
    for models in ((), (model,), ()):
        exposition.add(family(*models))
    assert generate_latest(Whole(model)) == text(exposition)


def test_a_family_stays_together_in_the_order_in_which_it_came() -> None:
    exposition = Exposition()
    for model in ("a", "b"):
        exposition.add(family(model))
    lines = text(exposition).decode().splitlines()
    named = [line.split("{")[0] for line in lines if not line.startswith("#")]
    assert ["asked_total", "asked_total", "busy", "busy"] == named
    assert 4 == len(lines) - len(named)
    assert ['busy{model="a"} 0.5', 'busy{model="b"} 0.5'] == lines[-2:]


def test_nothing_is_told_of_nothing() -> None:
    assert b"" == text(Exposition())
