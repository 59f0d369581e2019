"""Providers as rows of data: where they are, how they want the key, and what is peculiar about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """`models` are the names and patterns that the provider serves unless the config says otherwise. `local`: on this machine or network."""

    base_url: str
    dialect: str = "openai"
    auth: Literal["bearer", "api-key", "x-api-key", "none"] = "bearer"
    chat_path: str = "/chat/completions"
    query: Mapping[str, str] = field(default_factory=dict)
    quirks: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    local: bool = False


ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "openai": Row(
            "https://api.openai.com/v1", models=("gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-*", "o1*", "o3*", "o4*", "chatgpt-*")
        ),
        "anthropic": Row("https://api.anthropic.com", dialect="anthropic", auth="x-api-key", models=("claude-*",)),
        "ollama": Row("http://127.0.0.1:11434", dialect="ollama", auth="none", local=True),
    }
)
