"""docs/configuration.md tells of every table, key, variable and option, with the default that it has."""

import json
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ailb import config
from ailb.environment import overrides
from ailb.plugins import installed, named
from ailb.secret import Secret

DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
HEADINGS: dict[str, type[BaseModel]] = {
    "## Top level": config.Config,
    "## `[server]`": config.Server,
    "## `[auth]`": config.Auth,
    "## `[store]`": config.Store,
    "## `[embed]`": config.Embed,
    "## `[vectors]`": config.Vectors,
    "## `[log]`": config.Log,
    "## `[[layer]]`": config.Layer,
    "## `[[provider]]`": config.Provider,
    "### `timeouts`": config.Timeouts,
    "## `[[model]]`": config.Model,
    "### `targets`": config.Target,
    "### `fallbacks`": config.Fallbacks,
    "## `[[price]]`": config.Price,
    "### `above`": config.Above,
}
TABLES = {"server", "auth", "store", "embed", "vectors", "log", "layer", "provider", "model", "price"}
"""Keys of the top level with a heading of their own."""

WORDS = {"the kind's", "the name", "the model's name", "none", "see below", "see meaning"}
"""Defaults that TOML cannot say."""


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of each key in the tables under a heading."""
    section = DOCS.read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")]
    return {line[0]: line[1:] for line in lines}


def default(field: Any) -> Any:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Secret):
        return value.reveal()
    return value.model_dump() if isinstance(value, BaseModel) else value


@pytest.mark.parametrize(("heading", "table"), HEADINGS.items(), ids=HEADINGS.keys())
def test_every_key_has_its_line_and_no_line_is_of_yesterday(heading: str, table: type[BaseModel]) -> None:
    expected = set(table.model_fields) - (TABLES if table is config.Config else set())
    found = {key for key in rows(heading) if len(rows(heading)[key]) == 3}
    assert expected == found


@pytest.mark.parametrize(("heading", "table"), HEADINGS.items(), ids=HEADINGS.keys())
def test_every_default_is_the_one_that_it_has(heading: str, table: type[BaseModel]) -> None:
    for key, cells in rows(heading).items():
        field = table.model_fields.get(key)
        if field is None or cells[1] in WORDS:
            continue
        expected = default(field)
        assert ("" if expected is PydanticUndefined else expected) == (json.loads(cells[1]) if cells[1] else ""), key


def test_every_variable_has_its_line() -> None:
    names = [
        "HOST",
        "HTTP_PORT",
        "LOG_LEVEL",
        "DEFAULT_MODEL",
        "AILB_ADMIN_KEY",
        "DATABASE_URL",
        "CHROMA_URL",
        "ROUTING_STRATEGY",
        "OLLAMA_HOST",
        "REDIS_URL",
    ]
    names += ["NAME_API_KEY", "NAME_BASE_URL", "NAME_MODELS"]
    raw = {"layer": [{"use": "routing"}, {"use": "ratelimit"}], "provider": [{"name": "name"}, {"name": "ollama"}]}
    heard = {variable for variable, _ in overrides(raw, dict.fromkeys(names, "1")).values()}
    assert set(names) == heard
    assert heard == set(rows("## The environment"))


def test_every_option_of_a_layer_has_its_line() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for layer, where in installed().layers.items():
        for name, parameter in signature(named(where, layer)).parameters.items():
            if parameter.kind is Parameter.KEYWORD_ONLY:
                assert f"| `{layer}` | `{name}` |" in text
        assert f"`{layer}`" in text


def test_every_option_of_a_dialect_is_told() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for where in installed().dialects.values():
        for name in signature(named(where, "")).parameters:
            assert f"`{name}`" in text
