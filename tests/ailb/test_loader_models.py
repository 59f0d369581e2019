from typing import Any

import pytest

from ailb import config
from ailb.dialect import Target
from ailb.errors import ConfigError, ModelNotFound
from ailb.exchange import Attempt, Exchange, Reply, batches_of
from ailb.loader_models import models
from ailb.loader_providers import Source


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
