"""A circuit breaker: a target that keeps failing is left alone for a while, then asked once to see.

Source: Nygard, "Release It!", 2007. Without I/O; the time is an argument.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class Breaker:
    """One target's circuit. `after` failures in a row open it for `seconds`; then exactly one request at a time is let through."""

    after: int = 5
    seconds: float = 30.0
    failures: int = 0
    opened: float | None = None
    probing: bool = False

    def state(self, now: float) -> State:
        if self.opened is None:
            return "closed"
        return "open" if now < self.opened + self.seconds else "half_open"

    def admits(self, now: float) -> bool:
        """Whether a request may go. One that may must end in `succeeded`, `failed` or `abandoned`."""
        state = self.state(now)
        if state == "half_open" and not self.probing:
            self.probing = True
            return True
        return state == "closed"

    def bars(self, now: float) -> bool:
        """Whether `admits` would say no. Changes nothing."""
        return self.opened is not None and (self.probing or now < self.opened + self.seconds)

    def retry_after(self, now: float) -> float:
        """Seconds until it lets one through again."""
        return 0.0 if self.opened is None else max(0.0, self.opened + self.seconds - now)

    def succeeded(self) -> None:
        self.failures = 0
        self.opened = None
        self.probing = False

    def failed(self, now: float) -> None:
        self.failures += 1
        self.probing = False
        if self.failures >= self.after:
            self.opened = now

    def abandoned(self) -> None:
        """It came to nothing that says anything about the target, such as a client that left."""
        self.probing = False
