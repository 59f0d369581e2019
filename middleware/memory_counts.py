"""About how many tokens are in a text. Pure.

An exact count would start the process that counts, with its vocabulary, between the first turn of a conversation and the second. Exactness
matters where a context is nearly full, and `memory_room` counts exactly there.
"""

from typing import Final

LATIN: Final = 0.27
"""Tokens of o200k for an ASCII character: 0.24 in English and in code, 0.32 in tables."""

ACCENTED: Final = 0.4
"""For a character of two bytes: 0.25 in Russian and Arabic."""

WIDE: Final = 0.8
"""For a character of three bytes or more: 0.7 in Chinese and Japanese."""

_PARTS: Final = 100
_EACH: Final = tuple(round(_PARTS * tokens) for tokens in (LATIN, ACCENTED, WIDE))
"""In whole numbers, which add up exactly."""


def about(text: str) -> int:
    """Mostly a tenth too many. Rows of digits have twice as many."""
    ascii, size = len(text.encode("ascii", "ignore")), len(text.encode(errors="replace"))
    others = len(text) - ascii
    wide = max(size - ascii - 2 * others, 0)
    latin, accented, wider = _EACH
    return -(-(ascii * latin + max(others - wide, 0) * accented + wide * wider) // _PARTS)
