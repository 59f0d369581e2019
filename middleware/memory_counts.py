"""About how many tokens are in a text. Pure.

An exact count would load a vocabulary, during which the whole process stands still for a quarter of a second and more, between the first
turn of a conversation and the second. Exactness matters where a context is nearly full, and `memory_room` counts exactly there.
"""

from math import ceil
from typing import Final

LATIN: Final = 3.7
"""ASCII characters for a token of o200k: 4.2 in English, 4.1 in code, 3.1 in tables."""

ACCENTED: Final = 0.4
"""Tokens for a character of two bytes: 0.25 in Russian and Arabic."""

WIDE: Final = 0.8
"""Tokens for a character of three bytes or more: 0.7 in Chinese and Japanese."""


def about(text: str) -> int:
    """Mostly a tenth too many. Rows of digits have twice as many."""
    ascii, size = len(text.encode("ascii", "ignore")), len(text.encode(errors="replace"))
    others = len(text) - ascii
    wide = max(size - ascii - 2 * others, 0)
    return ceil(ascii / LATIN + max(others - wide, 0) * ACCENTED + wide * WIDE)
