"""A clock that a test sets."""

from ailb.clock import Clock

START = 1_789_344_000.0
"""2026-09-14, a Monday, 00:00 UTC."""


class SetClock(Clock):
    """Stands still until the test moves it."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def unix(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class WrongClock(SetClock):
    """Says another time than it is: `wrong` seconds are added. Durations are right."""

    def __init__(self, now: float = START, wrong: float = 0) -> None:
        super().__init__(now)
        self.wrong = wrong

    def unix(self) -> float:
        return self.now + self.wrong
