"""JSON as a gateway must read it: one meaning, or none.

orjson refuses NaN, infinities, invalid UTF-8, lone surrogates, a BOM and trailing data. What it lets pass and a gateway must not: a key
that stands twice (which one was authorised?), integers beyond 64 bits (they become floats), nesting that cannot be written again.
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from ailb.errors import BadRequest

MOST_NESTING = 200
"""orjson writes 254 levels, and a translation into another dialect may add a few."""

AUTHORITY = ("model", "stream", "max_tokens", "max_completion_tokens", "n", "session_id", "rag_collection", "rag_top_k")
"""The fields that AILB decides by. Of the others the last one counts, here and upstream, because the body is written anew."""

_QUOTED = tuple((name, f'"{name}"'.encode()) for name in AUTHORITY)
_DIGITS = bytes(48 if 48 <= byte <= 57 else 0 for byte in range(256))
_LONG_NUMBER = b"0" * 19


def parse(body: bytes) -> dict[str, Any]:
    """A request body. Raises BadRequest, saying what is wrong and where."""
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadRequest("the body must be a JSON object")
    if _LONG_NUMBER in body.translate(_DIGITS) or _may_be_twice(body, data):
        data = _exactly(body)
    if body.count(b"{") + body.count(b"[") > MOST_NESTING:
        _check_nesting(data)
    checked: dict[str, Any] = data
    return checked


def loosely(body: bytes) -> Any:
    """The JSON of a body that nobody promised to be any, such as an error's; None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def dumps(data: Any) -> bytes:
    """The shortest JSON; integers of any size."""
    try:
        return bytes(memoryview(orjson.dumps(data)))  # a copy: orjson's own bytes hold all that it had taken to write, 4 kB and more
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_reread).encode()


def _reread(part: Any) -> Any:
    """What only orjson can write, such as a Fragment, as plain values. Raises TypeError for what it cannot write either."""
    return json.loads(orjson.dumps(part))


def _may_be_twice(body: bytes, data: Mapping[str, Any]) -> bool:
    for name, quoted in _QUOTED:  # noqa: SIM110 - any() with a generator takes twice as long, for every request
        if name in data and body.count(quoted) > 1:
            return True
    return False


def _exactly(body: bytes) -> dict[str, Any]:
    """The slow way: every integer exact, and the outermost object's pairs seen as they stand."""
    pairs: list[tuple[str, Any]] = []

    def keep(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found  # the outermost object is the last one that is finished
        return dict(found)

    try:
        data: dict[str, Any] = json.loads(body, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        raise BadRequest("the body has a number that is too long, or is nested too deeply") from None
    names = [name for name, _ in pairs]
    for name in AUTHORITY:
        if names.count(name) > 1:
            raise BadRequest(f"{name} stands twice", param=name)
    return data


def _check_nesting(data: Any) -> None:
    level = [data]
    for _ in range(MOST_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise BadRequest(f"the body is nested more than {MOST_NESTING} levels deep")


def _children(parent: Any) -> list[Any]:
    inner = parent.values() if isinstance(parent, dict) else parent
    return [child for child in inner if isinstance(child, dict | list)]
