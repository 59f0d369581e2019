"""What is counted, as the layers see it."""

from typing import Protocol

from ailb.exchange import Exchange, Outcome


class Meter(Protocol):
    """Takes each exchange once, when it is over."""

    def request(self, exchange: Exchange, outcome: Outcome) -> None: ...
