from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from ailb.config_errors import Loc, place, quoted, told, unknown

RAW: dict[str, Any] = {
    "server": {"port": 1},
    "layer": [{"use": "my:Layer"}, {}],
    "provider": [{"name": "openai"}, {"name": "a\nb"}, "no table"],
}


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    depth: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: list[Inner] | None = None
    count: int


@pytest.mark.parametrize(
    ("loc", "expected"),
    [
        (("default_model",), "default_model"),
        (("two words",), '"two words"'),
        (("server",), "[server]"),
        (("server", "port"), "[server].port"),
        (("server", "a.b"), '[server]."a.b"'),
        (("layer",), "[[layer]]"),
        (("layer", 0, "x"), '[[layer]] "my:Layer".x'),
        (("layer", 1), "[[layer]] number 2"),
        (("layer", 7), "[[layer]] number 8"),
        (("provider", 0, "timeouts", "idle"), '[[provider]] "openai".timeouts.idle'),
        (("provider", 0, "models", 2), '[[provider]] "openai".models[2]'),
        (("provider", 1), r'[[provider]] "a\nb"'),
        (("provider", 2), "[[provider]] number 3"),
    ],
)
def test_a_place_is_where_the_file_has_it(loc: Loc, expected: str) -> None:
    assert expected == place(RAW, loc)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"cuont": 1}, "cuont: no such key; did you mean count?"),
        ({"count": "1", "zzz": 1}, "zzz: no such key; there are count, inner"),
        ({"count": 1, "inner": [{"depth": 1, "dept": 2}]}, "[inner][0].dept: no such key; did you mean depth?"),
        ({}, "count: is missing"),
        ({"count": "a lot"}, "count (from COUNT): should be a valid integer, unable to parse string as an integer"),
    ],
)
def test_a_complaint_names_the_nearest_key(raw: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(raw)
    assert expected == str(told(caught.value, Outer, raw, {("count",): "COUNT"} if "a lot" in raw.values() else {}))


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("routng", ["routing", "access"], "no such layer; did you mean routing?"),
        ("gpt-44", ["gpt-4", "gpt-4o"], "no such layer; did you mean gpt-4?"),
        ("x", ["b", "a"], "no such layer; there are a, b"),
        ("x", [], "no such layer"),
    ],
)
def test_unknown(word: str, known: list[str], expected: str) -> None:
    assert expected == unknown("layer", word, known)


def test_quoted_is_short_and_on_one_line() -> None:
    assert ('"a\\nb\\u001b[0m"', 82) == (quoted("a\nb\x1b[0m"), len(quoted("x" * 500)))
