"""What a request needs that not every model can do."""

from collections.abc import Iterator
from typing import Any, Final

from ailb.prompt import Prompt

TOOLS: Final = "tools"
IMAGES: Final = "images"
JSON_SCHEMA: Final = "json_schema"
ABILITIES: Final = (TOOLS, IMAGES, JSON_SCHEMA)


def needed(prompt: Prompt) -> Iterator[str]:
    """As far as it can be seen in the prompt as a chat completion."""
    if prompt.has_tools:
        yield TOOLS
    chat = prompt.chat()
    if any(_has_image(message.get("content")) for message in chat["messages"]):
        yield IMAGES
    shape = chat.get("response_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        yield JSON_SCHEMA


def _has_image(content: Any) -> bool:
    return isinstance(content, list) and any(isinstance(part, dict) and part.get("type") == "image_url" for part in content)
