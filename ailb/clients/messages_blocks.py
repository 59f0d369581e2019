"""Anthropic's content blocks, as the parts of a chat message.

Source: https://platform.claude.com/docs/en/api/messages, https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ailb.errors import BadRequest

Block = Mapping[str, Any]
Part = dict[str, Any]


def listed(content: Any, where: str) -> list[tuple[Block, str]]:
    """The blocks and the place of each. Raises BadRequest for what is neither a text nor a list of objects."""
    if content is None:
        return []
    if isinstance(content, str):
        return [({"type": "text", "text": content}, where)]
    if not isinstance(content, list):
        raise BadRequest(f"{where} must be a text or a list of blocks", param=where)
    for index, block in enumerate(content):
        if not isinstance(block, Mapping):
            raise BadRequest(f"{where}[{index}] must be an object", param=f"{where}[{index}]")
    return [(block, f"{where}[{index}]") for index, block in enumerate(content)]


def parts(block: Block, where: str) -> list[Part]:
    """What the user or a tool shows. Raises BadRequest naming a block that chat completions have no part for."""
    kind = block.get("type")
    if kind == "text":
        return _text(string(block, "text", where))
    if kind == "image":
        return [{"type": "image_url", "image_url": {"url": _url(block, where)}}]
    if kind == "document":
        return _document(block, where)
    if kind == "search_result":
        head = _text("\n".join(filter(None, (_optional(block, "title"), _optional(block, "source")))))
        return head + _inner(block.get("content"), f"{where}.content")
    if kind == "tool_reference":
        return _text(string(block, "tool_name", where))
    raise unknown(block, where)


def content(parts: Sequence[Part]) -> str | list[Part]:
    """One text where there is nothing but text: not every server takes a list."""
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return list(parts)


def unknown(block: Block, where: str) -> BadRequest:
    return BadRequest(f"{where}: a block of type {block.get('type')!r} can only be sent to Anthropic", param=f"{where}.type")


def string(block: Block, field: str, where: str) -> str:
    value = block.get(field)
    if not isinstance(value, str):
        raise BadRequest(f"{where}.{field} must be a text", param=f"{where}.{field}")
    return value


def _text(text: str) -> list[Part]:
    return [{"type": "text", "text": text}] if text else []


def _optional(block: Block, field: str) -> str:
    value = block.get(field)
    return value if isinstance(value, str) else ""


def _inner(content: Any, where: str) -> list[Part]:
    return [part for block, place in listed(content, where) for part in parts(block, place)]


def _document(block: Block, where: str) -> list[Part]:
    source = _source(block, where)
    head = _text("\n".join(filter(None, (_optional(block, "title"), _optional(block, "context")))))
    if source.get("type") == "text":
        return head + _text(string(source, "data", f"{where}.source"))
    if source.get("type") == "content":
        return head + _inner(source.get("content"), f"{where}.source.content")
    name = _optional(block, "title") or "document.pdf"
    return [{"type": "file", "file": {"filename": name, "file_data": _url(block, where)}}]


def _url(block: Block, where: str) -> str:
    """The source's URL; a data URL (RFC 2397) for what is sent along."""
    source = _source(block, where)
    where = f"{where}.source"
    if source.get("type") == "url":
        return string(source, "url", where)
    if source.get("type") == "base64":
        return f"data:{string(source, 'media_type', where)};base64,{string(source, 'data', where)}"
    raise BadRequest(f"{where}: a source of type {source.get('type')!r} can only be sent to Anthropic", param=f"{where}.type")


def _source(block: Block, where: str) -> Block:
    source = block.get("source")
    if not isinstance(source, Mapping):
        raise BadRequest(f"{where}.source must be an object", param=f"{where}.source")
    return source
