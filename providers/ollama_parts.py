"""The content of a chat message, as Ollama takes it: one text, and images beside it.

Source: https://docs.ollama.com/capabilities/vision
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ailb.errors import BadRequest

_TEXTS: Final = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_IMAGES: Final = ("image_url", "input_image")


def flat(content: Any, where: str) -> tuple[str, list[str]]:
    """The text, its parts a line each, and the images in base64. Raises BadRequest naming the part."""
    if content is None:
        return "", []
    if isinstance(content, str):
        return content, []
    if not isinstance(content, list):
        raise BadRequest(f"{where} must be a text or a list of parts", param=where)
    texts: list[str] = []
    images: list[str] = []
    for index, part in enumerate(content):
        at = f"{where}[{index}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in _IMAGES:
            images.append(_image(part.get("image_url"), f"{at}.image_url"))
        elif isinstance(kind, str) and kind in _TEXTS:
            texts.append(_text(part.get(_TEXTS[kind]), f"{at}.{_TEXTS[kind]}"))
        else:
            raise BadRequest(f"{at}: Ollama takes texts and images, not {kind!r}", param=f"{at}.type")
    return "\n".join(texts), images


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{where} must be a text", param=where)
    return value


def _image(image: Any, where: str) -> str:
    """The base64 of a data URL (RFC 2397)."""
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str) or not url.startswith("data:"):
        raise BadRequest(f"{where} must be a data URL: Ollama does not fetch images", param=where)
    head, comma, data = url.removeprefix("data:").partition(",")
    media, *options = [option.strip().lower() for option in head.split(";")]
    if not comma or not data or (media and not media.startswith("image/")):
        raise BadRequest(f"{where} must be the data URL of an image", param=where)
    if "base64" not in options:
        return base64.b64encode(unquote_to_bytes(data)).decode()
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as bad:
        raise BadRequest(f"{where} is a data URL whose base64 cannot be read", param=where) from bad
    return data
