"""The ids of a trace, as the header `traceparent` has them (W3C Trace Context, 3.2). Pure, but for the drawing of ids."""

import re
from dataclasses import dataclass
from secrets import randbits
from typing import Final

_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """The ids of one exchange's. `parent` is the client's span, 0 without one. `sampled`: whether anybody wants to see it."""

    id: int
    span: int
    parent: int = 0
    sampled: bool = True

    def child(self) -> str:
        """A `traceparent` for an attempt, with a span of its own."""
        return f"00-{self.id:032x}-{drawn(64):016x}-{int(self.sampled):02x}"


def traced(parent: str) -> Trace:
    """Below a client's `traceparent`, if it is one (W3C Trace Context, 3.2.2)."""
    found = _PARENT.fullmatch(parent)
    if found is None or (parent.startswith("00-") and len(parent) != 55):
        return Trace(drawn(128), drawn(64))
    return Trace(int(found[1], 16), drawn(64), int(found[2], 16), bool(int(found[3], 16) & _SAMPLED))


def drawn(bits: int) -> int:
    """An id, which must not be 0."""
    return randbits(bits) or 1
