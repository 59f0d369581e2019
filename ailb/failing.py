"""How often a target fails, as far as one can tell from what came of its attempts lately. Without I/O; the time is an argument."""

from dataclasses import dataclass
from math import exp

FADE_SECONDS = 10.0
"""An attempt counts for 1/e of what it did after so long."""


@dataclass(slots=True)
class Failing:
    """One target's failures and attempts, each of which fades. `at` is when the last one was over, in monotonic seconds."""

    failures: float = 0.0
    attempts: float = 0.0
    at: float = 0.0

    def observe(self, failed: bool, now: float) -> None:
        fade = self._fade(now)
        self.failures = self.failures * fade + failed
        self.attempts = self.attempts * fade + 1.0
        self.at = now

    def forget(self) -> None:
        self.failures = self.attempts = 0.0

    def share(self, now: float) -> float:
        """Of the attempts, those that failed; as if there had been one more that did not. So it fades too, when there are none."""
        if not self.failures:
            return 0.0
        fade = self._fade(now)
        return self.failures * fade / (self.attempts * fade + 1.0)

    def _fade(self, now: float) -> float:
        return exp(min(0.0, self.at - now) / FADE_SECONDS)
