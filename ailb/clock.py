"""What time it is, as a service, so that a test can say."""

import time


class Clock:
    """`monotonic()` for durations, in seconds from anywhere; `unix()` for points in time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def unix(self) -> float:
        return time.time()
