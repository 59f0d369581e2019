"""Content parts of a chat message, as Anthropic's content blocks.

Sources: https://platform.openai.com/docs/api-reference/chat/create, https://platform.claude.com/docs/en/api/messages
"""

import base64
import binascii
import mimetypes
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ailb.errors import BadRequest

Block = dict[str, Any]

_PDF_IN_BASE64: Final = "JVBERi0"
_SAME: Final = {"image/jpg": "image/jpeg"}


def blocks(content: Any, where: str) -> list[Block]:
    """The blocks of a message's `content`, without text that is empty or blank: Anthropic refuses such blocks.

    Raises BadRequest with the part's place in `param`.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    if not isinstance(content, list):
        raise BadRequest(f"{where} must be a text or a list of parts", param=where)
    found = [_block(part, f"{where}[{index}]") for index, part in enumerate(content)]
    return [block for block in found if block is not None]


def marked(blocks: list[Block], message: Mapping[str, Any]) -> list[Block]:
    """The blocks with the message's own `cache_control`, if it has one, on the last."""
    if blocks and (mark := message.get("cache_control")):
        return [*blocks[:-1], {**blocks[-1], "cache_control": mark}]
    return blocks


def _block(part: Any, where: str) -> Block | None:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    if not isinstance(part, Mapping):
        raise BadRequest(f"{where} must be an object", param=where)
    block = _translated(part, where)
    if block is not None and part.get("cache_control") is not None:
        block["cache_control"] = part["cache_control"]
    return block


def _translated(part: Mapping[str, Any], where: str) -> Block | None:
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text", "refusal"):
        return _text(part, where)
    if kind in ("image_url", "input_image"):
        return _image(part.get("image_url"), f"{where}.image_url")
    if kind == "file":
        return _file(part.get("file"), f"{where}.file")
    if not isinstance(kind, str) or kind in ("input_audio", "video_url", "input_video"):
        raise BadRequest(f"{where}: a part of type {kind!r} cannot be sent to this provider", param=f"{where}.type")
    return dict(part)  # one of Anthropic's own blocks, or one that is newer than this


def _text(part: Mapping[str, Any], where: str) -> Block | None:
    text = part.get("refusal" if part.get("type") == "refusal" else "text")
    if not isinstance(text, str):
        raise BadRequest(f"{where}.text must be a text", param=f"{where}.text")
    return {"type": "text", "text": text} if text.strip() else None


def _image(image: Any, where: str) -> Block:
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str) or not url:
        raise BadRequest(f"{where}.url must be a URL", param=f"{where}.url")
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media, data = _data_url(url, where)
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def _file(file: Any, where: str) -> Block:
    if not isinstance(file, Mapping):
        raise BadRequest(f"{where} must be an object", param=where)
    data, id, title = file.get("file_data"), file.get("file_id"), file.get("filename")
    if isinstance(data, str) and data:
        block = _document(data, title, where)
    elif isinstance(id, str) and id:
        block = {"type": "document", "source": {"type": "file", "file_id": id}}
    else:
        raise BadRequest(f"{where} needs file_data or file_id", param=where)
    if isinstance(title, str) and title and block["type"] == "document":
        block["title"] = title
    return block


def _document(data: str, title: Any, where: str) -> Block:
    if data.startswith(("https://", "http://")):
        return {"type": "document", "source": {"type": "url", "url": data}}
    if not data.startswith("data:"):  # some clients leave the prefix out
        guess = mimetypes.guess_type(title)[0] if isinstance(title, str) else None
        data = f"data:{'application/pdf' if data.startswith(_PDF_IN_BASE64) else guess or ''};base64,{data}"
    media, encoded = _data_url(data, where)
    if media.startswith("image/"):
        return {"type": "image", "source": {"type": "base64", "media_type": media, "data": encoded}}
    if media == "application/pdf":
        return {"type": "document", "source": {"type": "base64", "media_type": media, "data": encoded}}
    if media.startswith("text/") or media == "application/json":
        text = base64.b64decode(encoded).decode(errors="replace")
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
    raise BadRequest(f"{where}: a file of type {media!r} cannot be sent to this provider", param=where)


def _data_url(url: str, where: str) -> tuple[str, str]:
    """The media type and the data in base64 (RFC 2397)."""
    head, comma, data = url.removeprefix("data:").partition(",")
    media, *options = [option.strip().lower() for option in head.split(";")]
    if not comma or not data:
        raise BadRequest(f"{where} is a data URL without data", param=where)
    if "base64" not in options:
        return _SAME.get(media, media), base64.b64encode(unquote_to_bytes(data)).decode()
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as bad:
        raise BadRequest(f"{where} is a data URL whose base64 cannot be read", param=where) from bad
    return _SAME.get(media, media), base64.b64encode(raw).decode()
