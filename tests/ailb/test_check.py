"""What `ailb check` says, of good files and of all others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ailb.check import report
from ailb.errors import ConfigError

DEFAULT = Path(__file__).resolve().parents[2] / "config.toml"

MIXED = """
default_model = "claude-3"
[[layer]]
use = "access"
[[layer]]
use = "routing"
strategy = "failover"
open_after = 3
[[provider]]
name = "work"
kind = "openai"
api_key = "canary-a"
base_url = "https://work.example/v1"
models = ["gpt-4", "o1*"]
[[provider]]
name = "ollama"
[[provider]]
name = "anthropic"
when_env = "ANTHROPIC_API_KEY"
[[provider]]
name = "echo"
stand_in = true
[[model]]
name = "best"
targets = [{ provider = "work", model = "gpt-4" }, { provider = "ollama", model = "llama" }]
[[model]]
name = "opus"
targets = [{ provider = "anthropic", model = "claude-3-opus" }]
"""

EXPECTED = """\
edge -> access -> routing (strategy = failover, open_after = 3) -> provider

providers
  work       on   openai https://work.example/v1
  ollama     on
  anthropic  off  ANTHROPIC_API_KEY is not set
  echo       off  a stand-in, and others are on

models
  best          work/gpt-4, ollama/llama
  opus          not served: its providers are off
  gpt-4         work/gpt-4
  o1*           work/*
  ollama/*      will be asked for
  (none named)  claude-3

ok
"""


def test_it_shows_the_onion_the_providers_and_the_models(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(MIXED)
    assert EXPECTED == report(file, {})


ROUTED = """
[[layer]]
use = "routing"
[[provider]]
name = "work"
kind = "openai"
api_keys = ["canary-a", "canary-b"]
models = ["gpt-4", "gpt-4o"]
[[provider]]
name = "anthropic"
api_key = "canary-c,canary-d,canary-e"
base_url = "https://a.example"
[[model]]
name = "best"
aliases = ["smart", "best-*"]
strategy = "cost_optimized"
targets = [{ provider = "work", model = "gpt-4o" }, { provider = "anthropic", model = "claude-x" }]
fallbacks = ["gpt-4", "claude-y"]
[[model]]
name = "claude-*"
targets = [{ provider = "anthropic" }]
fallbacks = { rate_limit = ["best"], context_length = ["smart"] }
"""

ROUTED_EXPECTED = """\
edge -> routing -> provider

providers
  work       on  openai, 2 keys
  anthropic  on  https://a.example, 3 keys

models
  best      work/gpt-4o, anthropic/claude-x; cost_optimized; after any error: gpt-4, claude-y
  claude-*  anthropic/claude-*; after rate_limit: best; after context_length: smart
  smart     as best
  best-*    as best
  gpt-4     work/gpt-4
  gpt-4o    work/gpt-4o
  claude-*  anthropic/*

ok
"""


def test_it_shows_how_models_are_served(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(ROUTED)
    assert ROUTED_EXPECTED == report(file, {})


@pytest.mark.parametrize(
    ("embedder", "line"),
    [
        ("none", 'embedder none (embed.embedder = "none")'),
        ("vllm/small", "embedder vllm/small"),
        ("openai/small", "embedder openai/small (openai is off: OPENAI_API_KEY is not set)"),
    ],
)
def test_what_embeds_is_told_where_the_file_says_it(tmp_path: Path, embedder: str, line: str) -> None:
    file = tmp_path / "config.toml"
    providers = (
        '[[provider]]\nname = "vllm"\nbase_url = "http://127.0.0.1:1/v1"\n[[provider]]\nname = "openai"\nwhen_env = "OPENAI_API_KEY"\n'
    )
    file.write_text(f'[embed]\nembedder = "{embedder}"\n[[layer]]\nuse = "routing"\n{providers}', encoding="utf-8")
    assert line in report(file, {}).splitlines()


def test_the_default_shows_its_stand_in() -> None:
    lines = report(DEFAULT, {}).splitlines()
    layers = ["access", "records", "auth", "idempotency", "ratelimit", "budget", "memory", "rag", "routing (strategy = load_balanced)"]
    assert " -> ".join(["edge", *layers, "provider"]) == lines[0]
    assert {"  echo        stand-in", "  openai      off       OPENAI_API_KEY is not set", "ok"} <= set(lines)


def test_a_default_model_that_is_off_is_said() -> None:
    assert "refused: nobody serves gpt-4 now" in report(DEFAULT, {"ANTHROPIC_API_KEY": "k"})


def test_headers_may_hold_a_key_and_are_hidden(tmp_path: Path) -> None:
    text = (
        '[[layer]]\nuse = "otel"\nheaders = { authorization = "Basic canary" }\n[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n'
    )
    (tmp_path / "config.toml").write_text(text)
    assert "edge -> otel (headers = [hidden]) -> routing -> provider" == report(tmp_path / "config.toml", {}).splitlines()[0]


def test_options_that_sound_secret_are_hidden(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    (tmp_path / "secretive.py").write_text(
        "class Secretive:\n    def __init__(self, *, api_key: str) -> None: ...\n    async def __call__(self, exchange, call_next): ...\n"
    )
    file.write_text('[[layer]]\nuse = "secretive:Secretive"\napi_key = "canary"\n[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n')
    said = report(file, {})
    assert ("secretive:Secretive (api_key = [hidden])" in said, "canary" in said) == (True, False)


def test_numbers_are_shown_and_urls_with_a_password_are_not() -> None:
    onion = report(DEFAULT, {"REDIS_URL": "redis://:canary@127.0.0.1/0"}).splitlines()[0]
    assert ("ratelimit (redis = [hidden])" in onion, "canary" in onion) == (True, False)
    assert "redis = redis://127.0.0.1/0" in report(DEFAULT, {"REDIS_URL": "redis://127.0.0.1/0"})


CANARY = "canary-4f1c9a-of-no-known-shape"
VARIABLES = ("HOST", "HTTP_PORT", "LOG_LEVEL", "DEFAULT_MODEL", "ROUTING_STRATEGY", "OPENAI_BASE_URL", "OLLAMA_HOST", "OPENAI_MODELS")
WORDS = st.sampled_from(
    ["", "1", '"x"', "[", "]", "=", "${OPENAI_API_KEY}", '"${OPENAI_API_KEY}"', "nan", "[[layer]]\n", "[server]\n", "{}", "\0"]
)
EDITS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 12), WORDS | st.text(max_size=4)), max_size=6)
ENVIRON = st.dictionaries(
    st.sampled_from(VARIABLES), st.text(max_size=12) | st.sampled_from(["${OPENAI_API_KEY}", "0.0.0.0", "80", CANARY])
)


def outcome(folder: Path, text: str, environ: Mapping[str, str]) -> str:
    """All that `ailb check` says, whether it is content or not."""
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    try:
        return report(file, environ)
    except ConfigError as problem:
        return str(problem)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(edits=EDITS, environ=ENVIRON, key=st.booleans())
def test_whatever_the_file_and_the_environment_say(
    tmp_path: Path, edits: list[tuple[int, int, str]], environ: dict[str, str], key: bool
) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    for at, length, word in edits:
        text = text[:at] + word + text[at + length :]
    secret = {"OPENAI_API_KEY": CANARY, "AILB_ADMIN_KEY": CANARY} if key else {}
    shown = outcome(tmp_path, text.encode(errors="replace").decode(), {**environ, **secret})
    assert not key or CANARY not in shown


VALUES = st.none() | st.sampled_from([5, -1, 1.5, True, "", "x", "${OPENAI_API_KEY}", [], {}, [{}], ["${OPENAI_API_KEY}"], {"a": "b"}])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(data=st.data())
def test_whatever_a_key_is_set_to(tmp_path: Path, data: st.DataObject) -> None:
    """One line of the default, changed: mostly still TOML, so this gets further than cutting text."""
    lines = [line for line in DEFAULT.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    at = data.draw(st.integers(0, len(lines) - 1))
    name = lines[at].partition(" ")[0]
    lines[at] = (
        f"{name} = {toml(data.draw(VALUES))}" if "=" in lines[at] else data.draw(st.sampled_from(["", "[[layer]]", "[x]", "[[model]]"]))
    )
    shown = outcome(tmp_path, "\n".join(lines), {"OPENAI_API_KEY": CANARY})
    assert CANARY not in shown


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return {None: "1979-05-27"}.get(value) or (str(value).lower() if isinstance(value, bool) else repr(value))
