"""The rows: complete, immutable, and such that a dialect can be made from each."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from ailb.dialect import Target
from ailb.models import Models
from ailb.provider import Settings
from providers.catalog import ROWS, Row
from providers.openai import OpenAI
from providers.openai_quirks import QUIRKS
from tests.providers.openai_wire import prompt

OPENAI = {name: row for name, row in ROWS.items() if row.dialect == "openai"}
OWN_ADDRESS = {"azure", "databricks", "llamacpp", "openai-compatible"}


@pytest.mark.parametrize(("name", "row"), ROWS.items())
def test_a_row_is_complete(name: str, row: Row) -> None:
    assert row.dialect in ("openai", "anthropic", "ollama")
    assert row.base_url.startswith("http://127.0.0.1:" if row.local else "https://") or name in OWN_ADDRESS
    assert not row.base_url.endswith("/")
    assert row.local or row.key_env.isupper()
    assert row.quirks <= QUIRKS
    assert Settings(name=name, base_url=row.base_url, auth=row.auth, query=row.query, local=row.local).name == name


@pytest.mark.parametrize(("name", "row"), OPENAI.items())
def test_a_dialect_is_made_from_it(name: str, row: Row) -> None:
    dialect = OpenAI(quirks=row.quirks, chat_path=row.chat_path, models_path=row.models_path)
    assert dialect.request(prompt(), Target(name, "m")).path.endswith("/chat/completions")


def test_rows_cannot_be_changed() -> None:
    rows: Any = ROWS
    with pytest.raises(TypeError):
        rows["openai"] = None
    with pytest.raises(TypeError):
        rows["azure"].query["api-version"] = "x"
    with pytest.raises(FrozenInstanceError):
        rows["openai"].base_url = "x"


def test_openai_costs_no_repair() -> None:
    assert ROWS["openai"].quirks == ROWS["azure"].quirks == frozenset()


@pytest.mark.parametrize(
    ("model", "providers"),
    [
        ("gpt-4", {"openai"}),
        ("gpt-4-turbo", {"openai"}),
        ("gpt-3.5-turbo", {"openai"}),
        ("gpt-5.2-2025-12-11", {"openai"}),
        ("o1-mini", {"openai"}),
        ("o3", {"openai"}),
        ("o4-mini", {"openai"}),
        ("chatgpt-4o-latest", {"openai"}),
        ("claude-3-opus-20240229", {"anthropic"}),
        ("gemini-2.5-flash", {"gemini"}),
        ("mistral-small-latest", {"mistral"}),
        ("deepseek-reasoner", {"deepseek"}),
        ("grok-4", {"xai"}),
        ("sonar-pro", {"perplexity"}),
    ],
)
def test_who_serves_a_name(model: str, providers: set[str]) -> None:
    models = Models({name: row.models for name, row in ROWS.items()})
    assert providers == {target.provider for target in models.targets(model)}
