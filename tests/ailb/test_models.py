import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.errors import ModelNotFound
from ailb.models import Models, nearest

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
