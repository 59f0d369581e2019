from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from ailb.clock import Clock
from ailb.errors import ConfigError
from ailb.models import Models
from ailb.options import checked, construct
from ailb.secret import Secret
from ailb.testing import StillClock

WHERE = '[[layer]] "x"'


@dataclass
class Limit:
    tokens: int
    per: Literal["minute", "day"] = "minute"


class Plain:
    pass


class Full:
    def __init__(
        self,
        clock: Clock,
        models: Models | None = None,
        /,
        *,
        rate: Annotated[int, Field(ge=1)],
        share: float = 0.5,
        names: tuple[str, ...] = (),
        kinds: frozenset[str] = frozenset(),
        limits: Mapping[str, Limit] | None = None,
        token: Secret | None = None,
        since: date | None = None,
    ) -> None:
        self.given = (clock, models, rate, share, names, kinds, limits, token, since)


class Picky:
    def __init__(self, *, even: int = 0) -> None:
        if even % 2:
            raise ValueError("even must be even")


class Lost:
    def __init__(self, ledger: Plain, *, a: int = 0) -> None: ...


class Unnamed:
    def __init__(self, ledger) -> None: ...  # type: ignore[no-untyped-def]


class Dangling:
    def __init__(self, *, a: "Nowhere" = None) -> None: ...  # type: ignore[name-defined]  # noqa: F821


class Strange:
    def __init__(self, *, a: Plain | None = None) -> None: ...


class Nested:
    def __init__(self, *, limit: Limit) -> None: ...


class Loose:
    def __init__(self, *_: Any, a: int = 0, **__: Any) -> None: ...


def test_services_by_type_and_options_by_name() -> None:
    clock = StillClock()
    options = {"rate": 5, "names": ["a"], "kinds": ["b"], "limits": {"u": {"tokens": 1}}, "token": "hush", "since": date(2026, 1, 2)}
    full = construct(Full, WHERE, options, {Clock: clock})
    expected = (clock, None, 5, 0.5, ("a",), frozenset({"b"}), {"u": Limit(1)}, Secret("hush"), date(2026, 1, 2))
    assert expected == full.given


def test_a_class_without_a_constructor_needs_nothing() -> None:
    assert isinstance(construct(Plain, WHERE, {}, {}), Plain)


def test_rows_of_a_catalogue_may_have_sets_and_tuples() -> None:
    full = construct(Full, WHERE, {"rate": 1, "kinds": frozenset({"a"}), "names": ("b",)}, {Clock: Clock()})
    assert (("b",), frozenset({"a"})) == full.given[4:6]


@pytest.mark.parametrize(
    ("cls", "options", "expected"),
    [
        (Full, {"rte": 1}, f"{WHERE}.rte: no such option; did you mean rate?"),
        (Full, {}, f"{WHERE}.rate: is missing"),
        (Full, {"rate": "5"}, f"{WHERE}.rate: should be a valid integer"),
        (Full, {"rate": 0}, f"{WHERE}.rate: should be greater than or equal to 1"),
        (Full, {"rate": True}, f"{WHERE}.rate: should be a valid integer"),
        (Full, {"rate": 1, "share": float("inf")}, f"{WHERE}.share: should be a finite number"),
        (Full, {"rate": 1, "names": ["a", 5]}, f"{WHERE}.names[1]: should be a valid string"),
        (Full, {"rate": 1, "limits": {"u": {"per": "year"}}}, f"{WHERE}.limits.u.tokens: is missing"),
        (Full, {"rate": 1, "token": 5}, f"{WHERE}.token: should be a valid string"),
        (Full, {"rate": 1, "token": "two\nlines"}, f"{WHERE}.token: has characters that cannot stand in a header"),
        (Plain, {"a": 1}, f"{WHERE}.a: no such option"),
        (Picky, {"even": 1}, f"{WHERE}: even must be even"),
        (Lost, {}, f"{WHERE}: no service of type Plain for ledger; there are: Clock (options stand behind a *)"),
        (Unnamed, {}, f"{WHERE}: no service of type"),
        (Dangling, {}, f"{WHERE}: the signature of Dangling cannot be read"),
        (Strange, {"a": 1}, f"{WHERE}.a: cannot be set in a file"),
        (Nested, {"limit": {"tokens": 1, "per": "year"}}, f"{WHERE}.limit.per: should be 'minute' or 'day'"),
        (Loose, {"b": 1}, f"{WHERE}.b: no such option; there are a"),
        (print, {}, f"{WHERE}: is not a class"),
    ],
)
def test_each_error_names_the_option(cls: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        construct(cls, WHERE, options, {Clock: Clock()})
    assert str(caught.value).startswith(expected)


def test_keys_of_the_table_are_near_too() -> None:
    with pytest.raises(ConfigError, match="did you mean base_url"):
        construct(Picky, WHERE, {"bas_url": 1}, {}, also=["base_url"])


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
HINTS = [int, str, float, bool, list[int], dict[str, float], tuple[str, ...], Secret, Limit, Literal["a", "b"], int | None, Any]


@given(hint=st.sampled_from(HINTS), value=st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_value_is_taken_or_refused(hint: Any, value: Any) -> None:
    try:
        taken = checked(hint, WHERE, value)
    except ConfigError as problem:
        assert problem.where.startswith(WHERE)
    else:
        assert hint is not int or (type(taken) is int and taken == value)
