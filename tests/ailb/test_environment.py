from typing import Any

import pytest

from ailb.config_errors import Loc
from ailb.environment import confidential, filled, overrides, put, unset
from ailb.errors import ConfigError
from ailb.secret import Secret

RAW: dict[str, Any] = {
    "layer": [{"use": "access"}, {"use": "routing"}, {"use": "ratelimit"}],
    "provider": [{"name": "my-llm"}, {"name": "ollama"}],
}


@pytest.mark.parametrize(
    ("variable", "value", "loc", "expected"),
    [
        ("HOST", "0.0.0.0", ("server", "host"), "0.0.0.0"),
        ("HTTP_PORT", "9090", ("server", "port"), 9090),
        ("HTTP_PORT", "9" * 5000, ("server", "port"), "9" * 5000),
        ("LOG_LEVEL", "DEBUG", ("log", "level"), "debug"),
        ("DEFAULT_MODEL", "gpt-4", ("default_model",), "gpt-4"),
        ("AILB_ADMIN_KEY", "k", ("auth", "admin_key"), "k"),
        ("CHROMA_URL", "http://c", ("vectors", "url"), "http://c"),
        ("ROUTING_STRATEGY", "failover", ("layer", 1, "strategy"), "failover"),
        ("REDIS_URL", "redis://r", ("layer", 2, "redis"), "redis://r"),
        ("MY_LLM_API_KEY", "k", ("provider", 0, "api_key"), "k"),
        ("MY_LLM_BASE_URL", "http://x", ("provider", 0, "base_url"), "http://x"),
        ("MY_LLM_MODELS", "a, b,,", ("provider", 0, "models"), ["a", "b"]),
        ("OLLAMA_BASE_URL", "http://x", ("provider", 1, "base_url"), "http://x"),
        ("OLLAMA_MODELS", "mistral,dolphin-mixtral", ("provider", 1, "models"), ["mistral", "dolphin-mixtral"]),
        ("OLLAMA_HOST", "0.0.0.0", ("provider", 1, "base_url"), "http://127.0.0.1:11434"),
        ("OLLAMA_HOST", "0.0.0.0:80", ("provider", 1, "base_url"), "http://127.0.0.1:80"),
        ("OLLAMA_HOST", ":80", ("provider", 1, "base_url"), "http://127.0.0.1:80"),
        ("OLLAMA_HOST", "gpu.local", ("provider", 1, "base_url"), "http://gpu.local:11434"),
        ("OLLAMA_HOST", "gpu.local:", ("provider", 1, "base_url"), "http://gpu.local:11434"),
        ("OLLAMA_HOST", "[::1]", ("provider", 1, "base_url"), "http://[::1]:11434"),
        ("OLLAMA_HOST", "[::1]:80", ("provider", 1, "base_url"), "http://[::1]:80"),
        ("OLLAMA_HOST", "https://gpu.example", ("provider", 1, "base_url"), "https://gpu.example"),
    ],
)
def test_a_variable_has_its_place(variable: str, value: str, loc: Loc, expected: Any) -> None:
    assert {loc: (variable, expected)} == overrides(RAW, {variable: value, "PATH": "/bin"})


@pytest.mark.parametrize(
    "environ",
    [
        {"HOST": ""},
        {"OPENAI_API_KEY": "k"},
        {"OLLAMA_MODELS": "/usr/share/ollama/.ollama/models"},
        {"MY_LLM_HOST": "x"},
    ],
)
def test_what_is_empty_or_of_somebody_else_changes_nothing(environ: dict[str, str]) -> None:
    assert {} == overrides(RAW, environ)


def test_ollamas_own_variable_comes_second() -> None:
    changes = overrides(RAW, {"OLLAMA_HOST": "a", "OLLAMA_BASE_URL": "http://b"})
    assert {("provider", 1, "base_url"): ("OLLAMA_BASE_URL", "http://b")} == changes


@pytest.mark.parametrize("raw", [{}, {"layer": 5, "provider": "x"}, {"layer": [5], "provider": [[], "x"]}, {"provider": [{}, {"name": 5}]}])
def test_odd_tables_are_left_to_the_schema(raw: dict[str, Any]) -> None:
    assert {} == overrides(raw, {"ROUTING_STRATEGY": "x", "OPENAI_API_KEY": "k"})


@pytest.mark.parametrize(
    ("value", "loc", "expected"),
    [
        ({}, ("a",), {"a": 1}),
        ({}, ("a", "b"), {"a": {"b": 1}}),
        ({"a": {"b": 2, "c": 3}}, ("a", "b"), {"a": {"b": 1, "c": 3}}),
        ({"a": [{}, {"b": 2}]}, ("a", 1, "b"), {"a": [{}, {"b": 1}]}),
        ({"a": "text"}, ("a", "b"), {"a": "text"}),
    ],
)
def test_put_changes_a_copy(value: Any, loc: Loc, expected: Any) -> None:
    before = repr(value)
    assert (expected, before) == (put(value, loc, 1), repr(value))


def test_every_text_is_filled() -> None:
    raw = {"a": "${X}", "b": {"c": ["<${X}${Y}>", 5]}, "d": "$X ${"}
    assert {"a": "1", "b": {"c": ["<1>", 5]}, "d": "$X ${"} == filled(raw, {"X": "1", "Y": ""}, ())


def test_what_was_filled_in_is_not_filled_again() -> None:
    assert {"a": "${Y}"} == filled({"a": "${X}"}, {"X": "${Y}"}, ())


def test_what_the_environment_said_is_kept() -> None:
    assert {"a": "${X}"} == filled({"a": "${X}"}, {}, {("a",)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${X}", '[[layer]] "access".a[1]: the environment variable X is not set'),
        ("${X:-1}", '[[layer]] "access".a[1]: ${...} must hold the name of a variable'),
        ("${}", '[[layer]] "access".a[1]: ${...} must hold the name of a variable'),
    ],
)
def test_a_variable_that_is_not_set(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        filled({"layer": [{"use": "access", "a": ["", text]}]}, {}, ())
    assert expected == str(caught.value)


def test_of_a_provider_that_is_off_what_is_missing_is_left_out() -> None:
    table = {"name": "a", "when_env": "X", "api_key": "${X}", "headers": {"h": "${Z}"}, "base_url": "${Y}"}
    raw = {"provider": [table]}
    assert {"provider": [{"name": "a", "when_env": "X", "base_url": "http://y"}]} == filled(raw, {"Y": "http://y"}, ())
    with pytest.raises(ConfigError, match="variable Z is not set"):
        filled(raw, {"X": "x", "Y": "y"}, ())


@pytest.mark.parametrize(
    ("when_env", "environ", "expected"),
    [
        (None, {}, ""),
        ([], {}, ""),
        ("X", {}, "X is not set"),
        ("X", {"X": ""}, "X is not set"),
        ("X", {"X": "1"}, ""),
        (["X", "Y"], {"Y": "1"}, ""),
        (["X", "Y"], {}, "X or Y is not set"),
        (5, {}, ""),
    ],
)
def test_unset(when_env: object, environ: dict[str, str], expected: str) -> None:
    assert expected == unset(when_env, environ)


def test_a_list_of_keys_stays_as_it_is() -> None:
    raw = {"provider": [{"name": "openai", "api_keys": ["${OPENAI_API_KEY}", "${OTHER}"]}]}
    assert {} == overrides(raw, {"OPENAI_API_KEY": "k", "OTHER": "o"})


def test_each_of_several_keys_is_confidential() -> None:
    values = {secret.reveal() for secret in confidential({"OPENAI_API_KEY": "first-key, second-key,x"})}
    assert {"first-key, second-key,x", "first-key", "second-key"} == values


def test_confidential_goes_by_the_name() -> None:
    environ = {"OPENAI_API_KEY": "long-enough", "hf_token": "long-enough-2", "HOME": "/home/long", "SHORT_KEY": "abc"}
    assert [Secret("long-enough"), Secret("long-enough-2")] == confidential(environ)
