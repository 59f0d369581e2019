import json
import math
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb import strict
from ailb.money import MOST, NANO, nanos, number, text

AMOUNTS = st.integers(-MOST * NANO, MOST * NANO)


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        (0, 0),
        (12, 12 * NANO),
        (MOST, MOST * NANO),
        (0.3, 300_000_000),
        (0.1 + 0.2, 300_000_000),  # a float's noise is no money
        (1.1 + 2.2, 3_300_000_000),
        (-0.0, 0),
        (0.075, 75_000_000),
        (1e-9, 1),
        (1e-13, 1),  # up, never to nothing
        (1.0000000001, NANO + 1),
        (1e9, MOST * NANO),
        ("12.50", 12_500_000_000),
        ("007", 7 * NANO),
        ("0.0000000001", 1),
        (Decimal("0.1"), 100_000_000),
        (Decimal("1E+3"), 1000 * NANO),
        (Decimal("1E-99999"), 1),
        (Decimal("0." + "0" * 8 + "1" + "0" * 80 + "1"), 2),
    ],
)
def test_dollars_become_nano_dollars_rounded_up(dollars: object, expected: int) -> None:
    assert expected == nanos(dollars)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (math.nan, "finite"),
        (math.inf, "finite"),
        (float("1e400"), "finite"),
        (-math.inf, "finite"),
        (Decimal("NaN"), "finite"),
        (Decimal("sNaN"), "finite"),
        (-1, "negative"),
        (-1e-300, "negative"),
        (MOST + 1, "at most 1000000000"),
        (2**63, "at most"),
        (10**400, "at most"),
        (1e300, "at most"),
        (Decimal("1E+999999"), "at most"),
        ("999999999999", "at most"),
        (True, "true or false"),
        (False, "true or false"),
        ("1e3", "such as 12.5"),
        ("NaN", "such as"),
        ("", "such as"),
        ("-1", "such as"),
        ("+1", "such as"),
        (" 1", "such as"),
        ("1_000", "such as"),
        ("1.", "such as"),
        ("٣", "such as"),
        ("9" * 5000, "such as"),
        (None, "such as"),
        ([1], "such as"),
        ({}, "such as"),
        (b"1", "such as"),
        (1j, "such as"),
    ],
)
def test_what_is_no_money_is_refused_saying_why(bad: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        nanos(bad)


@given(st.integers() | st.floats() | st.text(max_size=8) | st.decimals() | st.booleans() | st.none())
def test_whatever_comes_it_is_an_amount_or_a_value_error(value: object) -> None:
    try:
        assert 0 <= nanos(value) <= MOST * NANO
    except ValueError as problem:
        assert str(problem).startswith("must ")


@given(st.decimals(0, MOST, allow_nan=False, places=12))
def test_nothing_is_rounded_down(dollars: Decimal) -> None:
    with localcontext(prec=60):
        assert int((dollars * NANO).to_integral_value(ROUND_CEILING)) == nanos(dollars) == nanos(f"{dollars:f}")


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "0.0"),
        (1, "0.000000001"),
        (300_000_000, "0.3"),
        (12_500_000_000, "12.5"),
        (100 * NANO, "100.0"),
        (MOST * NANO - 1, "999999999.999999999"),
        (-1, "-0.000000001"),
        (-1_500_000_000, "-1.5"),
    ],
)
def test_what_is_written_has_every_digit_and_no_exponent(amount: int, written: str) -> None:
    assert written == text(amount)
    assert written.encode() == orjson.dumps(number(amount))


@given(AMOUNTS)
def test_what_is_written_reads_back(amount: int) -> None:
    assert amount == Decimal(text(amount)) * NANO
    if amount >= 0:
        assert amount == nanos(text(amount))


def test_an_answer_with_an_integer_beyond_64_bits_has_its_money_too() -> None:
    data: dict[str, Any] = {"cost": number(300_000_000), "seed": 2**70}
    assert json.loads(strict.dumps(data)) == {"cost": 0.3, "seed": 2**70}
    assert strict.dumps(data).startswith(b'{"cost":0.3,')
    with pytest.raises(TypeError):
        strict.dumps({"cost": object(), "seed": 2**70})
