"""Config in, what it makes or the first error out."""

from pathlib import Path
from typing import Any

import pytest

from ailb.config import Config, Provider, parse, read
from ailb.errors import ConfigError
from ailb.secret import Secret

LEAST: dict[str, Any] = {"layer": [{"use": "routing"}], "provider": [{"name": "echo"}]}
LEAST_FILE = '[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n'


MODEL: dict[str, Any] = {"name": "m", "targets": [{"provider": "a"}]}


def complaint(raw: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parse({**LEAST, **raw}, environ or {})
    return str(caught.value)


def provider(**keys: Any) -> Provider:
    return parse({**LEAST, "provider": [{"name": "one", **keys}]}, {}).provider[0]


def test_little_is_enough() -> None:
    config = parse(LEAST, {})
    assert ("127.0.0.1", 8080, None, "info") == (config.server.host, config.server.port, config.auth.admin_key, config.log.level)
    assert [] == config.model


def test_whole_numbers_are_seconds_too() -> None:
    assert 5.0 == parse({**LEAST, "server": {"body_seconds": 5}}, {}).server.body_seconds


def test_what_a_table_does_not_know_is_an_option() -> None:
    config = parse({"layer": [{"use": "routing", "strategy": "random"}], "provider": [{"name": "echo", "note": "hi"}]}, {})
    assert ({"strategy": "random"}, {"note": "hi"}) == (config.layer[0].options, config.provider[0].options)


def test_a_base_url_loses_its_last_slash() -> None:
    assert "https://one.example/v1" == provider(base_url="https://one.example/v1/").base_url


def test_header_names_are_small_and_values_hidden() -> None:
    assert {"x-team": Secret("blue")} == provider(headers={"X-Team": "blue"}).headers


def test_one_variable_is_a_list_of_one() -> None:
    assert (["A"], ["A", "B"]) == (provider(when_env="A").when_env, provider(when_env=["A", "B"]).when_env)


def test_keys_of_a_list_are_not_in_the_repr() -> None:
    table = provider(api_keys=["hush-a", "hush-b"])
    assert ((Secret("hush-a"), Secret("hush-b")), False) == (table.keys, "hush" in repr(table))


def test_secrets_are_not_in_the_repr() -> None:
    config = parse(
        {**LEAST, "auth": {"admin_key": "k" * 40}, "provider": [{"name": "one", "api_key": "hush", "headers": {"a": "quiet"}}]}, {}
    )
    assert not [word for word in ("k" * 40, "hush", "quiet") if word in repr(config)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"colour": 1}, "colour: no such key; there are auth, default_model, embed, layer, log, model, price, provider, server, store"),
        ({"defualt_model": "x"}, "defualt_model: no such key; did you mean default_model?"),
        ({"srever": {}}, "[srever]: no such key; did you mean server?"),
        ({"server": {"prot": 1}}, "[server].prot: no such key; did you mean port?"),
        ({"server": {"port": "8080"}}, "[server].port: should be a valid integer"),
        ({"server": {"port": 0}}, "[server].port: should be greater than or equal to 1"),
        ({"server": {"port": True}}, "[server].port: should be a valid integer"),
        ({"server": {"http2": "yes"}}, "[server].http2: should be a valid boolean"),
        ({"server": {"http2": True, "engine": "uvicorn"}}, '[server]: http2 needs engine = "hypercorn"'),
        ({"server": {"body_seconds": float("nan")}}, "[server].body_seconds: should be"),
        ({"server": {"body_seconds": 0}}, "[server].body_seconds: should be greater than 0"),
        ({"server": {"engine": "gunicorn"}}, "[server].engine: should be 'hypercorn' or 'uvicorn'"),
        ({"server": {"tls_cert": "a.pem"}}, "[server]: tls_cert and tls_key go together"),
        ({"server": {"trusted_proxies": ["10.0.0.0/8", "10.0.0.1/8"]}}, "[server].trusted_proxies[1]: must be a network such as"),
        ({"server": {"allowed_hosts": ["a.example:80"]}}, "[server].allowed_hosts[0]: must be the name of a host, without a port"),
        ({"server": {"cors_origins": ["a.example"]}}, "[server].cors_origins[0]: must be an origin such as"),
        ({"server": 5}, "server: should be a valid dictionary"),
        ({"auth": {"admin_key": "short"}}, "[auth].admin_key: must have at least 16 characters"),
        ({"auth": {"admin_key": 5}}, "[auth].admin_key: should be a valid string"),
        ({"log": {"level": "loud"}}, "[log].level: should be 'debug', 'info', 'warning' or 'error'"),
        ({"layer": []}, "[[layer]]: list should have at least 1 item"),
        ({"layer": {"use": "routing"}}, "[[layer]]: should be a valid list"),
        ({"layer": [{"usee": "routing"}]}, "[[layer]] number 1.use: is missing; is usee meant to be it?"),
        ({"layer": [{}]}, "[[layer]] number 1.use: is missing"),
        ({"provider": [{"name": "Open AI"}]}, '[[provider]] "Open AI".name: must be made of a-z'),
        ({"provider": [{"name": "x", "api_key": "a\nb"}]}, '[[provider]] "x".api_key: has characters that cannot stand in a header'),
        ({"provider": [{"name": "x", "headers": {"a b": "c"}}]}, '[[provider]] "x".headers."a b": cannot be the name of a header'),
        ({"store": {"url": "mysql://u:pw@h/x"}}, "[store].url: must begin with sqlite+aiosqlite:// or postgresql+asyncpg://"),
        ({"provider": [{"name": "x", "base_url": "ftp://x"}]}, '[[provider]] "x".base_url: must be an http:// or https:// URL'),
        ({"provider": [{"name": "x", "timeouts": {"conect": 1}}]}, '[[provider]] "x".timeouts.conect: no such key; did you mean connect?'),
        ({"provider": [{"name": "x", "timeouts": {"idle": -1}}]}, '[[provider]] "x".timeouts.idle: should be greater than 0'),
        ({"provider": [{"name": "x", "when_env": 1}]}, '[[provider]] "x".when_env: should be a valid list'),
        ({"model": [{"name": "m"}]}, '[[model]] "m".targets: is missing'),
        (
            {"model": [{"name": "m", "targets": [{"providr": "a"}]}]},
            '[[model]] "m".targets[0].providr: no such key; did you mean provider?',
        ),
        (
            {"model": [{"name": "m", "targets": [{"provider": "a", "weight": 0}]}]},
            '[[model]] "m".targets[0].weight: should be greater than 0',
        ),
        ({"provider": [{"name": "x", "api_key": "a", "api_keys": ["b"]}]}, '[[provider]] "x": has both api_key and api_keys'),
        ({"provider": [{"name": "x", "api_keys": []}]}, '[[provider]] "x".api_keys: list should have at least 1 item'),
        ({"provider": [{"name": "x", "api_keys": ["a", "b\nc"]}]}, '[[provider]] "x".api_keys[1]: has characters that cannot stand'),
        ({"provider": [{"name": "x", "health_seconds": 0.5}]}, '[[provider]] "x".health_seconds: should be greater than or equal to 1'),
        ({"model": [{**MODEL, "alias": ["n"]}]}, '[[model]] "m".alias: no such key; did you mean aliases?'),
        ({"model": [{**MODEL, "sticky": "sesion"}]}, '[[model]] "m".sticky: must be "session", "prefix", "user" or "header:"'),
        ({"model": [{**MODEL, "retries": 11}]}, '[[model]] "m".retries: should be less than or equal to 10'),
        ({"model": [{**MODEL, "retries": -1}]}, '[[model]] "m".retries: should be greater than or equal to 0'),
        ({"model": [{**MODEL, "hedge": "yes"}]}, '[[model]] "m".hedge: should be a valid boolean'),
        ({"model": [{**MODEL, "fallbacks": "n"}]}, '[[model]] "m".fallbacks: should be a valid dictionary'),
        ({"model": [{**MODEL, "fallbacks": [5]}]}, '[[model]] "m".fallbacks.any[0]: should be a valid string'),
        (
            {"model": [{**MODEL, "fallbacks": {"rate_limits": ["n"]}}]},
            '[[model]] "m".fallbacks.rate_limits: no such key; did you mean rate_l',
        ),
        ({"model": [{"name": "m", "targets": [{"provider": "a", "max_parallel": 0}]}]}, '[[model]] "m".targets[0].max_parallel: should be'),
        ({"model": [{"name": "m", "targets": [{"provider": "a", "context": 0}]}]}, '[[model]] "m".targets[0].context: should be greater'),
    ],
)
def test_each_error_has_its_table_and_key(raw: dict[str, Any], expected: str) -> None:
    assert complaint(raw).startswith(expected)


def test_a_missing_table_is_said() -> None:
    with pytest.raises(ConfigError, match=r"^\[\[layer\]\]: is missing$"):
        parse({"provider": [{"name": "echo"}]}, {})


def test_a_variable_that_is_wrong_is_named() -> None:
    assert "[server].port (from HTTP_PORT): should be a valid integer" == complaint({}, {"HTTP_PORT": "eighty"})


def test_a_variable_that_is_not_set_is_named() -> None:
    assert '[[provider]] "x".api_key: the environment variable X is not set' == complaint({"provider": [{"name": "x", "api_key": "${X}"}]})


@pytest.mark.parametrize("url", ["mysql://u:pw@h/x", "sqlite:///ailb.db", "nonsense"])
def test_a_database_that_is_refused_is_not_shown(url: str) -> None:
    assert "[store].url (from DATABASE_URL): must begin with sqlite+aiosqlite:// or postgresql+asyncpg://" == complaint(
        {}, {"DATABASE_URL": url}
    )


@pytest.mark.parametrize("key", ["short", "s€cret-key-that-is-long-enough"])
def test_an_admin_key_that_is_refused_is_not_shown(key: str) -> None:
    assert key not in complaint({}, {"AILB_ADMIN_KEY": key})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[server\nhost = "x"', "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 8)"),
        (b"\xff\xfe", "is not TOML: it is no UTF-8"),
        (b"a = " + b"9" * 5000, "is not TOML: it is no UTF-8, or a number in it is too long"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(file, {})
    assert (str(file), True) == (caught.value.where, caught.value.problem.startswith(expected))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; --config names another one"):
        read(tmp_path / "config.toml", {})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path, {})


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(LEAST_FILE, encoding="utf-8")
    assert parse(LEAST, {}) == read(file, {})


def test_a_config_cannot_be_changed() -> None:
    config: Config = parse(LEAST, {})
    with pytest.raises(ValueError, match="frozen"):
        config.default_model = "x"
