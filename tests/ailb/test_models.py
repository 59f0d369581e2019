from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.errors import ModelNotFound
from ailb.models import Models, Route, nearest, overlap

OFFERED = {
    "openai": ("gpt-4o", "gpt-4o-mini", "o3-*"),
    "azure": ("gpt-4o",),
    "broker": ("openai/gpt-oss", "meta/llama-3"),
    "local": ("llama*",),
}
NAMED = {"smart": [Target("openai", "gpt-4o", 2.0), Target("azure", "gpt-4o")], "gpt-4o-mini": [Target("azure", "mini")]}

CASES = [
    ("gpt-4o", [("openai", "gpt-4o"), ("azure", "gpt-4o")]),
    ("smart", [("openai", "gpt-4o"), ("azure", "gpt-4o")]),
    ("gpt-4o-mini", [("azure", "mini")]),
    ("openai/gpt-4o-mini", [("openai", "gpt-4o-mini")]),
    ("azure/gpt-4o", [("azure", "gpt-4o")]),
    ("o3-pro", [("openai", "o3-pro")]),
    ("openai/o3-pro", [("openai", "o3-pro")]),
    ("openai/gpt-oss", [("broker", "openai/gpt-oss")]),
    ("broker/openai/gpt-oss", [("broker", "openai/gpt-oss")]),
    ("meta/llama-3", [("broker", "meta/llama-3")]),
    ("llama3:8b", [("local", "llama3:8b")]),
    ("local/llama3:8b", [("local", "llama3:8b")]),
]


@pytest.mark.parametrize(("model", "expected"), CASES)
def test_who_serves_a_name(model: str, expected: list[tuple[str, str]]) -> None:
    models = Models(OFFERED, NAMED)
    for _ in range(2):
        assert expected == [(target.provider, target.model) for target in models.targets(model)]


@pytest.mark.parametrize(
    "model", ["", "gpt", "GPT-4O", "azure/o3-pro", "azure/llama3", "nobody/gpt-4o", "/", "openai/", "gpt-4o/", "*", "o3"]
)
def test_a_name_that_nobody_serves(model: str) -> None:
    with pytest.raises(ModelNotFound, match=r"^Model not found: ") as told:
        Models(OFFERED, NAMED).targets(model)
    assert (404, "model") == (told.value.status, told.value.param)


def test_the_nearest_names_are_told() -> None:
    with pytest.raises(ModelNotFound) as told:
        Models(OFFERED).targets("gpt-4o-mimi")
    assert told.value.message == "Model not found: gpt-4o-mimi; did you mean gpt-4o-mini, gpt-4o?"
    with pytest.raises(ModelNotFound, match=r"^Model not found: zzzz$"):
        Models(OFFERED).targets("zzzz")


def test_nearest_is_best_first_and_at_most_three() -> None:
    assert nearest("rout", ["routing", "route", "about", "x"]) == ["route", "routing", "about"]
    assert len(nearest("ab", ["ab1", "ab2", "ab3", "ab4"])) == 3


def test_an_exact_offer_beats_a_pattern_and_patterns_share() -> None:
    models = Models({"a": ("*",), "b": ("exact",), "c": ("ex*",)})
    assert [Target("b", "exact")] == list(models.targets("exact"))
    assert [Target("a", "extra"), Target("c", "extra")] == list(models.targets("extra"))


def test_what_a_provider_offers_anew_is_served_at_once() -> None:
    models = Models({"a": ("old",), "b": ("*",)})
    assert ["a"] == [t.provider for t in models.targets("old")]
    models.offer("a", ["new"])
    assert ["b"] == [t.provider for t in models.targets("old")]
    assert ["a"] == [t.provider for t in models.targets("new")]
    assert {"a": ("new",), "b": ("*",)} == models.offers


def test_names_are_those_that_are_known_each_once_without_patterns() -> None:
    expected = ["smart", "gpt-4o-mini", "gpt-4o", "openai/gpt-oss", "meta/llama-3"]
    assert expected == Models(OFFERED, NAMED).names()
    assert ["llama3", *expected] == Models(OFFERED, NAMED, "llama3").names()


def test_the_owner_is_the_first_target() -> None:
    models = Models(OFFERED, NAMED)
    assert ["openai", "azure", "broker"] == [models.owner(name) for name in ("smart", "gpt-4o-mini", "openai/gpt-oss")]


OFFERS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.lists(st.sampled_from(["a/x", "b/x", "x", "a/b/x", "x*", "c/", "[x"]), max_size=4), max_size=3
)


@given(OFFERS)
def test_every_name_that_is_listed_is_served(offers: dict[str, list[str]]) -> None:
    models = Models(offers)
    assert all(models.targets(name) for name in models.names())


def test_made_up_names_do_not_fill_the_memory() -> None:
    models = Models({"a": ("*",)})
    for number in range(10_050):
        models.targets(f"m{number}")
    assert len(models._found) == 10_000


PATTERNS: dict[str, Any] = {
    "claude-*": lambda name: [Target("openai", name)],
    "claude-3-*": lambda name: [Target("local", name), Target("azure", "fixed")],
    "claude-3-opus": [Target("azure", "opus")],
    "*": [Target("broker", "anything")],
    "*/llama-*": lambda name: [Target("local", name)],
}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-3-opus", [("azure", "opus")]),
        ("claude-3-haiku", [("local", "claude-3-haiku"), ("azure", "fixed")]),
        ("claude-2", [("openai", "claude-2")]),
        ("gpt-4o", [("broker", "anything")]),
        ("llama3", [("broker", "anything")]),
        ("never-heard-of", [("broker", "anything")]),
        ("openai/gpt-4o", [("openai", "gpt-4o")]),
        ("openai/claude-3-opus", [("broker", "anything")]),
        ("meta/llama-3", [("local", "meta/llama-3")]),
        ("broker/meta/llama-3", [("local", "broker/meta/llama-3")]),
    ],
)
def test_the_most_specific_pattern_serves_unless_a_name_does(model: str, expected: list[tuple[str, str]]) -> None:
    models = Models(OFFERED, PATTERNS)
    for _ in range(2):
        assert expected == [(target.provider, target.model) for target in models.targets(model)]


def test_of_equals_the_first_pattern_serves() -> None:
    models = Models({}, {"a*c": [Target("first", "m")], "ab*": [Target("second", "m")]})
    assert [Target("first", "m")] == list(models.targets("abc"))


def test_patterns_are_not_names() -> None:
    assert ["claude-3-opus"] == Models({"a": ("x-*",)}, PATTERNS).names()
    assert ["default", "claude-3-opus"] == Models({"a": ("x-*",)}, PATTERNS, "default").names()


@pytest.mark.parametrize(
    ("model", "expected"),
    [("claude-3-opus", "exact"), ("claude-3-haiku", "narrow"), ("claude-2", "wide"), ("gpt-4o", None), ("nobody", None)],
)
def test_the_route_is_the_tables_that_serves(model: str, expected: str | None) -> None:
    routes = {
        name: Route(strategy=strategy) for name, strategy in {"claude-*": "wide", "claude-3-*": "narrow", "claude-3-opus": "exact"}.items()
    }
    models = Models(OFFERED, {name: PATTERNS[name] for name in routes}, routes=routes)
    assert expected == models.route(model).strategy
    assert routes == models.routes


def test_whoever_has_several_keys_is_there_as_often() -> None:
    models = Models({"a": ("m",), "b": ("*",)}, made=lambda provider, name: [Target(provider, name, credential=n) for n in range(2)])
    assert [Target("a", "m"), Target("a", "m", credential=1)] == list(models.targets("m"))
    assert [Target("b", "x"), Target("b", "x", credential=1)] == list(models.targets("b/x"))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("gpt-4", "gpt-4", True),
        ("gpt-4", "gpt-*", True),
        ("gpt-*", "gpt-4", True),
        ("gpt-*", "claude-3", False),
        ("gpt-*", "*", True),
        ("gpt-*", "gpt-4*", True),
        ("gpt-*", "claude-*", False),
        ("*-mini", "gpt-*", True),
        ("*-mini", "*-pro", False),
        ("*-mini", "gpt-*-mini", True),
    ],
)
def test_patterns_that_may_mean_the_same(one: str, other: str, expected: bool) -> None:
    assert (expected, expected) == (overlap(one, other), overlap(other, one))
