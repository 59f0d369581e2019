from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb import config
from ailb.dialect import Target
from ailb.errors import ConfigError, ModelNotFound
from ailb.exchange import Attempt, Exchange, Reply, batches_of
from ailb.loader_models import models
from ailb.loader_providers import Source
from ailb.models import Route


async def silence(exchange: Exchange, attempt: Attempt) -> Reply:
    return Reply(batches_of([]))


SOURCES = {
    "listed": Source(silence, ("gpt-4", "gpt-4o", "o1*")),
    "asked": Source(silence, ("seed",), discover=True),
    "away": Source(silence, ("claude-*", "claude-3"), off="KEY is not set"),
    "gone": Source(silence, (), discover=True, off="KEY is not set"),
    "echo": Source(silence, ("*",), off="a stand-in, and others are on", stand_in=True),
}
LISTED = {name: SOURCES[name] for name in ("listed", "away", "gone", "echo")}


def tables(**named: list[dict[str, Any]]) -> list[config.Model]:
    return [config.Model.model_validate({"name": name, "targets": targets}) for name, targets in named.items()]


def complaint(found: list[config.Model], default: str = "", sources: dict[str, Source] = SOURCES) -> str:
    with pytest.raises(ConfigError) as caught:
        models(found, default, sources)
    return str(caught.value)


def test_targets_that_are_off_are_left_out() -> None:
    targets: list[dict[str, Any]] = [
        {"provider": "listed", "model": "gpt-4", "weight": 2.0, "priority": 1},
        {"provider": "away", "model": "claude-3"},
    ]
    served = models(tables(mine=targets, theirs=[{"provider": "away", "model": "claude-3"}]), "", SOURCES)
    assert (Target("listed", "gpt-4", 2.0, 1),) == served.targets("mine")
    with pytest.raises(ModelNotFound):
        served.targets("theirs")


def test_a_targets_model_is_the_name_unless_it_says_so() -> None:
    assert (Target("listed", "o1-mini"),) == models(tables(**{"o1-mini": [{"provider": "listed"}]}), "", SOURCES).targets("o1-mini")


def test_only_who_is_on_offers() -> None:
    assert {"listed": ("gpt-4", "gpt-4o", "o1*"), "asked": ("seed",)} == models([], "", SOURCES).offers


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"provider": "listd"}, '[[model]] "m".targets[0].provider: no such provider; did you mean listed?'),
        ({"provider": "listed", "model": "gpt-5"}, '[[model]] "m".targets[0].model: listed has no such model; did you mean gpt-4?'),
        ({"provider": "listed"}, '[[model]] "m".targets[0].model: listed has no such model; there are gpt-4, gpt-4o, o1*'),
        ({"provider": "away", "model": "clade-3"}, '[[model]] "m".targets[0].model: away has no such model; did you mean claude-3?'),
    ],
)
def test_a_target_that_nobody_offers(target: dict[str, Any], expected: str) -> None:
    assert expected == complaint(tables(m=[target]))


def test_who_is_asked_may_have_anything() -> None:
    assert (Target("asked", "llama"),) == models(tables(m=[{"provider": "asked", "model": "llama"}]), "", SOURCES).targets("m")


def test_a_name_stands_once() -> None:
    table = tables(m=[{"provider": "listed", "model": "gpt-4"}])
    assert '[[model]] "m": stands twice' == complaint([*table, *table])


def test_a_provider_that_nothing_reaches_is_refused() -> None:
    mute = {"mute": Source(silence, ())}
    assert complaint([], sources=mute).startswith('[[provider]] "mute".models: is missing')
    assert (Target("mute", "x"),) == models(tables(m=[{"provider": "mute", "model": "x"}]), "", mute).targets("m")


@pytest.mark.parametrize(
    ("default", "sources", "expected"),
    [
        ("gpt-4", LISTED, "gpt-4"),
        ("listed/gpt-4", LISTED, "listed/gpt-4"),
        ("m", LISTED, "m"),
        ("claude-3", LISTED, ""),
        ("off", LISTED, ""),
        ("anything", SOURCES, "anything"),
        ("", LISTED, ""),
    ],
)
def test_a_default_is_left_out_while_its_providers_are_off(default: str, sources: dict[str, Source], expected: str) -> None:
    found = tables(m=[{"provider": "listed", "model": "gpt-4"}], off=[{"provider": "away", "model": "claude-3"}])
    assert expected == models(found, default, sources).default


def test_a_default_that_nobody_could_serve_is_refused() -> None:
    assert 'default_model: nobody serves "gtp-4"; did you mean gpt-4?' == complaint([], "gtp-4", LISTED)


def test_a_default_that_is_not_there_yet_is_not_listed() -> None:
    served = models([], "llama", {"asked": SOURCES["asked"]})
    assert ("llama", ["seed"]) == (served.default, served.names())
    served.offer("asked", ["llama"])
    assert ["llama"] == served.names()


WELL = {
    **SOURCES,
    "openai": Source(silence, ("gpt-*", "o1*", "o3*"), keys=2, genuine=True),
    "twin": Source(silence, ("gpt-4", "llama*"), keys=2),
}
ONE = {"provider": "listed", "model": "gpt-4"}


def table(name: str = "m", *targets: dict[str, Any], **keys: Any) -> config.Model:
    return config.Model.model_validate({"name": name, "targets": list(targets) or [ONE], **keys})


def test_an_alias_is_another_name() -> None:
    served = models([table("m", {"provider": "asked"}, aliases=["n", "o"], strategy="failover")], "o", SOURCES)
    assert ((Target("asked", "m"),),) * 3 == tuple(served.targets(name) for name in ("m", "n", "o"))
    assert {"failover"} == {served.route(name).strategy for name in ("m", "n", "o")}
    assert ("o", ["o", "m", "n", "gpt-4", "gpt-4o", "seed"]) == (served.default, served.names())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("o1-mini", [("listed", "o1-mini"), ("listed", "gpt-4")]),
        ("o1", [("asked", "o1-from-x")]),
        ("old-o1", [("listed", "old-o1"), ("listed", "gpt-4")]),
        ("o2-pro", [("listed", "gpt-4")]),
        ("mine", [("listed", "gpt-4")]),
        ("fixed-3", [("asked", "x")]),
    ],
)
def test_a_target_of_a_pattern_is_asked_for_the_very_name(asked: str, expected: list[tuple[str, str]]) -> None:
    found = [
        table("o1*", {"provider": "listed"}, ONE, {"provider": "away", "model": "claude-3"}, aliases=["old-o1"]),
        table("o1", {"provider": "asked", "model": "o1-from-x"}),
        table("mine", aliases=["o2-*"]),
        table("x", {"provider": "asked"}, aliases=["fixed-*"]),
    ]
    served = models(found, "", SOURCES)
    assert expected == [(target.provider, target.model) for target in served.targets(asked)]
    assert not [name for name in served.names() if "*" in name]


def test_a_pattern_wins_over_what_is_offered() -> None:
    served = models([table("gpt-*", {"provider": "asked", "model": "other"})], "", SOURCES)
    assert [(Target("asked", "other"),), (Target("listed", "gpt-4"),)] == [served.targets("gpt-4"), served.targets("listed/gpt-4")]


def test_what_is_said_of_a_target_is_there() -> None:
    said = {**ONE, "max_parallel": 3, "context": 8192, "lacks": ["tools", "images"], "tags": ["eu", "cheap"]}
    (target,) = models([table("m", said)], "", SOURCES).targets("m")
    expected = Target(
        "listed", "gpt-4", max_parallel=3, context=8192, lacks=frozenset({"tools", "images"}), tags=frozenset({"eu", "cheap"})
    )
    assert expected == target


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Route()),
        (
            {"strategy": "random", "sticky": "header:x-a", "retries": 0, "hedge": False},
            Route(strategy="random", sticky="header:x-a", retries=0, hedge=False),
        ),
        ({"fallbacks": ["gpt-4", "o1-pro"]}, Route(fallbacks={"any": ("gpt-4", "o1-pro")})),
        ({"fallbacks": {"rate_limit": ["gpt-4"]}}, Route(fallbacks={"rate_limit": ("gpt-4",)})),
        (
            {"fallbacks": {"any": ["gpt-4"], "context_length": ["listed/o1"], "content_policy": []}},
            Route(fallbacks={"any": ("gpt-4",), "context_length": ("listed/o1",)}),
        ),
        ({"fallbacks": ["claude-3", "claude-4"]}, Route(fallbacks={"any": ("claude-3", "claude-4")})),
        ({"strategy": "operator:itemgetter"}, Route(strategy="operator:itemgetter")),
    ],
)
def test_how_a_model_is_served(keys: dict[str, Any], expected: Route) -> None:
    served = models([table("m", **keys)], "", LISTED)
    assert expected == served.route("m")
    assert {"m": expected} == served.routes


def test_fallbacks_may_lead_in_a_circle_through_aliases_and_patterns() -> None:
    found = [table("a", fallbacks=["b"]), table("b", aliases=["c"], fallbacks=["d-1"]), table("d-*", {**ONE}, fallbacks=["c", "a"])]
    served = models(found, "", LISTED)
    assert [("b",), ("d-1",), ("c", "a")] == [served.route(name).fallbacks["any"] for name in ("a", "c", "d-7")]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([table("m", aliases=["n", "m"])], '[[model]] "m".aliases[1]: "m" is the name of a model'),
        ([table("m", aliases=["k"]), table("k")], '[[model]] "m".aliases[0]: "k" is the name of a model'),
        ([table("m", aliases=["n", "n"])], '[[model]] "m".aliases[0]: "n" stands twice'),
        ([table("m", aliases=["n"]), table("k", aliases=["n"])], '[[model]] "m".aliases[0]: "n" stands twice'),
        ([table("m", fallbacks=["gtp-4"])], '[[model]] "m".fallbacks.any[0]: nobody serves "gtp-4"; did you mean gpt-4?'),
        (
            [table("smart", fallbacks={"any": ["gpt-4"], "rate_limit": ["gpt-4", "smrt"]})],
            '[[model]] "smart".fallbacks.rate_limit[1]: nobody serves "smrt"; did you mean smart?',
        ),
        ([table("m", fallbacks=["gpt-4", "m"])], '[[model]] "m".fallbacks.any[1]: is the model itself'),
        ([table("m", aliases=["n"], fallbacks={"any": ["n"]})], '[[model]] "m".fallbacks.any[0]: is the model itself'),
        ([table("m", fallbacks=["o1*"])], '[[model]] "m".fallbacks.any[0]: "o1*" must be one model, not a pattern'),
        (
            [table("m", {**ONE, "lacks": ["tools", "image"]})],
            '[[model]] "m".targets[0].lacks[1]: no such ability; did you mean images?',
        ),
        (
            [table("claude-*", {"provider": "listed"})],
            '[[model]] "claude-*".targets[0].model: listed has no such model; there are gpt-4, gpt-4o, o1*',
        ),
        ([table("m", strategy="no.such:thing")], '[[model]] "m".strategy: module no.such cannot be imported: ModuleNotFoundError'),
        ([table("m", strategy="operator:itemgeter")], '[[model]] "m".strategy: module operator has no itemgeter; did you mean itemgetter?'),
        ([table("m", strategy="operator:__doc__")], '[[model]] "m".strategy: "operator:__doc__" is not a function'),
        ([table("m", strategy="a b:c")], '[[model]] "m".strategy: "a b:c" must be package.module:'),
    ],
)
def test_what_cannot_be_served(found: list[config.Model], expected: str) -> None:
    assert complaint(found, sources=LISTED).startswith(expected)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("twin/gpt-4", [("twin", 0, 0.5), ("twin", 1, 0.5)]),
        ("m", [("twin", 0, 3.0), ("twin", 1, 3.0), ("listed", 0, 2.0)]),
        ("llama-8b", [("twin", 0, 1.0), ("twin", 1, 1.0)]),
    ],
)
def test_each_key_is_a_target(asked: str, expected: list[tuple[str, int, float]]) -> None:
    found = [
        table("m", {"provider": "twin", "model": "gpt-4", "weight": 6.0}, {**ONE, "weight": 2.0}),
        table("llama-*", {"provider": "twin", "weight": 2.0}),
    ]
    served = models(found, "", WELL)
    assert expected == [(target.provider, target.credential, target.weight) for target in served.targets(asked)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("openai/gpt-3.5-turbo", {"images", "json_schema"}),
        ("twin/gpt-4", set()),
        ("o1-mini", {"tools", "images", "json_schema"}),
        ("o3-mini", {"images"}),
        ("all", set()),
        ("some", {"tools"}),
        ("plain", {"images", "json_schema"}),
    ],
)
def test_what_is_known_of_a_model_counts_at_its_makers_unless_the_table_says_otherwise(asked: str, expected: set[str]) -> None:
    fits = {"provider": "openai", "model": "gpt-3.5-turbo"}
    found = [
        table("all", {**fits, "lacks": []}),
        table("some", {**fits, "lacks": ["tools"]}),
        table("plain", fits),
        table("o3*", {"provider": "openai"}),
    ]
    served = models(found, "", {name: WELL[name] for name in ("openai", "twin")})
    assert [expected] * 2 == [target.lacks for target in served.targets(asked)]


NAMES = st.sampled_from(["a", "b", "gpt-4", "gpt-*", "o1-x", "claude-3", "*"])
OTHERS = st.sampled_from(["a", "b", "c", "gpt-4", "o1-x", "claude-3", "listed/gpt-4", "nobody"])
ALIASES = st.lists(st.sampled_from(["c", "d", "e-*", "a"]), max_size=1)
TARGETS = st.sampled_from(
    [ONE, {"provider": "asked"}, {"provider": "away", "model": "claude-3"}, {"provider": "twin", "model": "llama"}, {"provider": "listed"}]
)
TABLES = st.builds(
    lambda name, targets, aliases, fallbacks: table(name, *targets, aliases=aliases, fallbacks=fallbacks),
    NAMES,
    st.lists(TARGETS, min_size=1, max_size=2),
    ALIASES,
    st.lists(OTHERS, max_size=2),
)


@given(st.lists(TABLES, max_size=3, unique_by=lambda each: each.name), OTHERS)
def test_what_is_not_refused_is_served_and_falls_back_to_others(found: list[config.Model], default: str) -> None:
    try:
        served = models(found, default, WELL)
    except ConfigError as problem:
        assert problem.where.startswith(("[[model]]", "default_model"))
        return
    assert all(served.targets(name) for name in served.names())
    everybody = {target.provider for name in served.names() for target in served.targets(name)}
    assert everybody.isdisjoint({"away", "gone", "echo"})
    for each in found:
        assert {each.name, *each.aliases}.isdisjoint(name for names in served.route(each.name).fallbacks.values() for name in names)
