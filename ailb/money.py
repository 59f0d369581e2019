"""Money as integer nano-dollars: sums stay exact, and what is rounded is rounded up.

The only place where dollars become nano-dollars and back. What is written is always plain decimal text: 0.3, 12.5, 100.0.
"""

import re
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final

import orjson

NANO: Final = 1_000_000_000
"""Nano-dollars in a dollar."""

MOST: Final = 1_000_000_000
"""Dollars. No limit and no price is higher; in nano-dollars it fits into 64 bits nine times, so that sums do too."""

_PLAIN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,30})?", re.ASCII)
_FLOAT_DIGITS: Final = Context(prec=15)
"""What a float can hold of any decimal number (IEEE 754 binary64); digits behind those are noise, as in 0.1 + 0.2."""

_EXACT: Final = Context(prec=60, rounding=ROUND_CEILING)


def nanos(value: object) -> int:
    """Nano-dollars from dollars: an int, a float, a Decimal, or plain decimal text such as "12.50"; rounded up to the nano-dollar.

    Raises ValueError, saying what is wrong, for what is no number (true, "1e3", NaN), negative, infinite or above `MOST`.
    """
    dollars = _decimal(value)
    if not dollars.is_finite():
        raise ValueError("must be a finite number of dollars")
    if dollars < 0:
        raise ValueError("must not be negative")
    if dollars > MOST:
        raise ValueError(f"must be at most {MOST} dollars")
    return int(_EXACT.multiply(dollars, Decimal(NANO)).to_integral_value(ROUND_CEILING))


def text(nanos: int) -> str:
    """Dollars as decimal text, exact and without an exponent, with at least one digit after the point."""
    dollars, rest = divmod(abs(nanos), NANO)
    sign = "-" if nanos < 0 else ""
    return f"{sign}{dollars}.{f'{rest:09d}'.rstrip('0') or '0'}"


def number(nanos: int) -> orjson.Fragment:
    """Dollars as a JSON number with the digits of `text`, for `orjson.dumps` and `ailb.strict.dumps`."""
    return orjson.Fragment(text(nanos))


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("must be a number of dollars, not true or false")
    if isinstance(value, float):
        return _FLOAT_DIGITS.create_decimal(repr(value))
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return Decimal(value)
    raise ValueError("must be a number of dollars, such as 12.5")
