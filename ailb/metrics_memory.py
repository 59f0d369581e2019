"""Conversations, as Prometheus' families: how many are in use, and how often one could not be looked up."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from ailb.errors import Unavailable
from ailb.tally import Name, Tally

ACTIVE_SECONDS: Final = 300.0
_KIND: Final = "memory_unavailable"


class Memories:
    """Counts into the tally of its process. `asked` tells how many sessions were used in the last so many seconds: the store does, whose
    number is that of all gateways that share it; None without one.
    """

    def __init__(self, tally: Tally) -> None:
        self.asked: Callable[[float], Awaitable[int]] | None = None
        self._unavailable = tally.row(_KIND)
        self._active = 0

    def count(self, notes: Mapping[str, Any]) -> None:
        """`notes` are an exchange's."""
        if notes.get("memory") == "unavailable":
            self._unavailable[0] += 1

    async def look(self) -> None:
        """As long as the store is gone the number stays what it was."""
        if self.asked is not None:
            with suppress(Unavailable):
                self._active = await self.asked(ACTIVE_SECONDS)

    def families(self, sums: Mapping[Name, Sequence[int]]) -> Iterator[Metric]:
        """`sums` as a tally has them."""
        yield GaugeMetricFamily("ailb_active_sessions", "Sessions used in the last five minutes", value=self._active)
        gone = sums.get((_KIND,), (0,))[0]
        yield CounterMetricFamily("ailb_memory_unavailable", "Requests that went on without what was remembered", value=gone)
