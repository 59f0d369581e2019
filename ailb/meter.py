"""What is counted, as the layers see it."""

from typing import Protocol

from ailb.exchange import Exchange, Outcome


class Meter(Protocol):
    """Takes each exchange of a client's once, when it is over; and each copy that another `model` was sent."""

    def request(self, exchange: Exchange, outcome: Outcome) -> None: ...

    def shadow(self, model: str, outcome: Outcome) -> None: ...
