"""Families as Prometheus' text, written in parts: whoever has many rows writes some of them, and goes on with those families later."""

from asyncio import sleep
from collections.abc import AsyncIterator, Iterable, Iterator

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Exposition:
    """Families in the order in which they were first seen, each in one piece, as the format wants it."""

    def __init__(self) -> None:
        self._lines: dict[bytes, list[bytes]] = {}

    def add(self, families: Iterable[Metric]) -> None:
        """The same family may come again, with other samples."""
        for family in families:
            about, kind, lines = generate_latest(_Alone(family)).split(b"\n", 2)
            self._lines.setdefault(b"%b\n%b\n" % (about, kind), []).append(lines)

    async def text(self) -> AsyncIterator[bytes]:
        """Family by family: of thousands of targets it is 12 MB, which nobody sends at once."""
        for head, lines in self._lines.items():
            yield b"".join((head, *lines))
            await sleep(0)


class _Alone(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family
