"""What a request needs that not every model can do."""

from collections.abc import Iterator
from typing import Any, Final

from ailb.prompt import Prompt

TOOLS: Final = "tools"
IMAGES: Final = "images"
JSON_SCHEMA: Final = "json_schema"
ABILITIES: Final = (TOOLS, IMAGES, JSON_SCHEMA)
PICTURES: Final = ("image_url", "image")
"""The types of the parts that are one: of a chat's, and of Anthropic's."""


def needed(prompt: Prompt) -> Iterator[str]:
    """As far as it can be seen in the prompt as a chat completion, or as it is where no chat completion says the same."""
    if prompt.has_tools:
        yield TOOLS
    chat = prompt.readable()
    if any(_has_image(message.get("content")) for message in chat["messages"]):
        yield IMAGES
    shape = chat.get("response_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        yield JSON_SCHEMA


def _has_image(content: Any) -> bool:
    return any(part.get("type") in PICTURES for part in _parts(content))


def _parts(content: Any) -> Iterator[dict[str, Any]]:
    """Those in the results of Anthropic's tools too."""
    for part in _objects(content):
        yield part
        if part.get("type") == "tool_result":
            yield from _objects(part.get("content"))


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    yield from (part for part in content if isinstance(part, dict)) if isinstance(content, list) else ()
