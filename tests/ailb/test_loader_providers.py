from typing import Any

import pytest

from ailb import config
from ailb.errors import ConfigError
from ailb.exchange import Drain
from ailb.loader_providers import Source, sources, switched_off
from ailb.plugins import Plugins, installed
from ailb.provider import Settings, Timeouts
from ailb.secret import Secret


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return installed()


def tables(*raw: dict[str, Any]) -> list[config.Provider]:
    return [config.Provider.model_validate(each) for each in raw]


def one(plugins: Plugins, **keys: Any) -> Any:
    """The only provider; its class is not known here."""
    (source,) = sources(tables(keys), plugins, {}).values()
    return source.provider


def complaint(plugins: Plugins, *raw: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        sources(tables(*raw), plugins, environ or {})
    return str(caught.value)


def test_a_row_gives_what_the_table_does_not(plugins: Plugins) -> None:
    row = plugins.rows["openai"]
    settings = one(plugins, name="openai", api_key="k", timeouts={"idle": 5.0}).settings
    expected = Settings("openai", row.base_url, "bearer", (Secret("k"),), query=row.query, timeouts=Timeouts(idle=5.0))
    assert expected == settings


def test_the_table_wins_over_the_row(plugins: Plugins) -> None:
    table = {"name": "mine", "kind": "openai", "api_key": "k", "base_url": "http://a/v1", "query": {"v": "1"}, "headers": {"H": "x"}}
    settings = one(plugins, **table, max_answer_bytes=2048, local=True).settings
    expected = Settings(
        "mine", "http://a/v1", api_keys=(Secret("k"),), headers={"h": Secret("x")}, query={"v": "1"}, max_answer_bytes=2048, local=True
    )
    assert expected == settings


@pytest.mark.parametrize(
    ("keys", "drain"),
    [
        ({}, None),
        ({"drain_seconds": 5.0}, None),
        ({"drain": True}, Drain(60.0, 16 << 20)),
        ({"drain": True, "drain_seconds": 5.0, "drain_bytes": 2048}, Drain(5.0, 2048)),
    ],
)
def test_reading_on_is_a_choice(plugins: Plugins, keys: dict[str, Any], drain: Drain | None) -> None:
    assert drain == one(plugins, name="openai", api_key="k", **keys).settings.drain


def test_azure_has_its_path_and_its_query(plugins: Plugins) -> None:
    azure = one(plugins, name="azure", api_key="k", base_url="https://a.example", models=["m"], query={"api-version": "2025-01-01"})
    assert ("api-key", {"api-version": "2025-01-01"}) == (azure.settings.auth, azure.settings.query)


@pytest.mark.parametrize("kind", ["azure", "llamacpp", "openai-compatible"])
def test_a_kind_without_an_address_needs_one(plugins: Plugins, kind: str) -> None:
    expected = '[[provider]] "my-llm".base_url: is missing, and this kind has no address of its own; MY_LLM_BASE_URL can set it too'
    assert expected == complaint(plugins, {"name": "my-llm", "kind": kind, "api_key": "k"})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"name": "openai"}, '[[provider]] "openai".api_key: is missing; OPENAI_API_KEY can set it too'),
        ({"name": "openai", "api_key": ""}, '[[provider]] "openai".api_key: is missing; OPENAI_API_KEY can set it too'),
        ({"name": "opnai"}, '[[provider]] "opnai".kind: no such kind of provider; did you mean openai?'),
        ({"name": "x", "kind": "ecco"}, '[[provider]] "x".kind: no such kind of provider; did you mean echo?'),
        ({"name": "http"}, '[[provider]] "http".kind: no such kind of provider'),
        ({"name": "openai", "api_key": "k", "base_ur": "x"}, '[[provider]] "openai".base_ur: no such option; did you mean base_url?'),
        ({"name": "openai", "api_key": "k", "chat_path": 5}, '[[provider]] "openai".chat_path: should be a valid string'),
        ({"name": "openai", "api_key": "k", "note": "x"}, '[[provider]] "openai".note: no such option'),
        ({"name": "echo", "nte": "x"}, '[[provider]] "echo".nte: no such option; did you mean note?'),
        ({"name": "echo", "api_key": "k"}, '[[provider]] "echo".api_key: echo has no such option'),
        ({"name": "echo", "health_seconds": 5.0}, '[[provider]] "echo".health_seconds: echo has no such option'),
        ({"name": "openai", "api_keys": ["", ""]}, '[[provider]] "openai".api_key: is missing; OPENAI_API_KEY can set it too'),
        (
            {"name": "azure", "api_key": "k", "base_url": "https://a.example", "models": ["m"], "health_seconds": 5.0},
            '[[provider]] "azure".health_seconds: this kind of provider has no list to ask for',
        ),
        ({"name": "echo", "discover": True}, '[[provider]] "echo".discover: this kind of provider has no list to ask for'),
    ],
)
def test_each_error_has_its_key(plugins: Plugins, table: dict[str, Any], expected: str) -> None:
    assert complaint(plugins, table).startswith(expected)


def test_a_name_stands_once(plugins: Plugins) -> None:
    assert '[[provider]] "echo": stands twice' == complaint(plugins, {"name": "echo"}, {"name": "echo"})


def test_what_is_off_is_checked_too(plugins: Plugins) -> None:
    off = {"name": "openai", "when_env": ["X"], "chat_pth": "/"}
    assert complaint(plugins, {"name": "echo"}, off).startswith('[[provider]] "openai".chat_pth: no such option; did you mean chat_path?')


def test_somebody_has_to_be_on(plugins: Plugins) -> None:
    assert "[[provider]]: all of them are off: openai: X is not set" == complaint(plugins, {"name": "openai", "when_env": ["X"]})


@pytest.mark.parametrize(
    ("table", "offers", "might_offer"),
    [
        ({"name": "echo"}, ("*",), ("*",)),
        ({"name": "anthropic", "api_key": "k"}, ("claude-*",), ("claude-*",)),
        ({"name": "anthropic", "api_key": "k", "models": ["a"]}, ("a",), ("a",)),
        ({"name": "anthropic", "api_key": "k", "models": ["a"], "discover": True}, ("a",), ("*",)),
        ({"name": "groq", "api_key": "k"}, (), ("*",)),
        ({"name": "groq", "api_key": "k", "models": ["a"]}, ("a",), ("a",)),
    ],
)
def test_what_it_offers(plugins: Plugins, table: dict[str, Any], offers: tuple[str, ...], might_offer: tuple[str, ...]) -> None:
    (source,) = sources(tables(table), plugins, {}).values()
    assert (offers, might_offer) == (source.offers, source.might_offer)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"name": "groq"}, True),
        ({"name": "groq", "models": ["a"]}, False),
        ({"name": "groq", "models": ["a"], "discover": True}, True),
        ({"name": "groq", "discover": False}, False),
        ({"name": "openai"}, False),
        ({"name": "azure", "base_url": "https://a.example"}, False),
    ],
)
def test_who_has_no_models_is_asked_for_them(plugins: Plugins, table: dict[str, Any], expected: bool) -> None:
    (source,) = sources(tables({**table, "api_key": "k"}), plugins, {}).values()
    assert expected is source.discover


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"openai": "A or B is not set"}),
        ({"B": "1"}, {"echo": "a stand-in, and others are on"}),
    ],
)
def test_a_stand_in_gives_way(environ: dict[str, str], expected: dict[str, str]) -> None:
    found = tables({"name": "echo", "stand_in": True}, {"name": "openai", "when_env": ["A", "B"]})
    assert expected == switched_off(found, environ)


def test_a_source_without_a_list_is_open(plugins: Plugins) -> None:
    provider = one(plugins, name="echo")
    assert [True, True, False] == [Source(provider, ()).open, Source(provider, ("a",), discover=True).open, Source(provider, ("a",)).open]


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ({"api_key": "a"}, ["a"]),
        ({"api_key": "a, b,,a"}, ["a", "b"]),
        ({"api_keys": ["a", "b"]}, ["a", "b"]),
        ({"api_keys": ["a", "", "b", "a"]}, ["a", "b"]),
        ({"kind": "vllm"}, []),
    ],
)
def test_the_keys_that_it_is_asked_with(plugins: Plugins, table: dict[str, Any], keys: list[str]) -> None:
    (source,) = sources(tables({"name": "openai", **table}), plugins, {}).values()
    provider: Any = source.provider
    assert (tuple(map(Secret, keys)), max(1, len(keys))) == (provider.settings.api_keys, source.keys)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"name": "openai", "api_key": "k"}, True),
        ({"name": "mine", "kind": "openai", "api_key": "k"}, True),
        ({"name": "openai", "api_key": "k", "base_url": "https://proxy.example"}, False),
        ({"name": "echo"}, False),
    ],
)
def test_names_of_models_mean_what_they_say_at_the_kinds_own_address(plugins: Plugins, table: dict[str, Any], expected: bool) -> None:
    (source,) = sources(tables(table), plugins, {}).values()
    assert expected is source.genuine
