"""What well-known models cannot do, by the names that their makers give them. Only what is certain; a name that is not here says nothing.

Sources, as of 2026: https://platform.openai.com/docs/models (what a model takes, a page each),
https://platform.openai.com/docs/guides/structured-outputs (json_schema: gpt-4o-mini, gpt-4o-2024-08-06 and later),
https://docs.anthropic.com/en/docs/build-with-claude/vision and .../tool-use (both: Claude 3 and later).
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from ailb.abilities import IMAGES, JSON_SCHEMA, TOOLS

_LACKS: Final[Sequence[tuple[str, frozenset[str]]]] = (
    ("gpt-3.5-turbo*", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-0314", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-0613", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-32k*", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-1106-preview", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-0125-preview", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-turbo-preview", frozenset({IMAGES, JSON_SCHEMA})),
    ("gpt-4-turbo", frozenset({JSON_SCHEMA})),
    ("gpt-4-turbo-2024-04-09", frozenset({JSON_SCHEMA})),
    ("gpt-4o-2024-05-13", frozenset({JSON_SCHEMA})),
    ("o1-mini*", frozenset({TOOLS, IMAGES, JSON_SCHEMA})),
    ("o1-preview*", frozenset({TOOLS, IMAGES, JSON_SCHEMA})),
    ("o3-mini*", frozenset({IMAGES})),
    ("claude-2*", frozenset({TOOLS, IMAGES})),
    ("claude-instant-*", frozenset({TOOLS, IMAGES})),
)


def lacking(model: str) -> frozenset[str]:
    """The abilities, of ailb.abilities, that `model` is known not to have."""
    return next((lacks for pattern, lacks in _LACKS if fnmatchcase(model, pattern)), frozenset())
