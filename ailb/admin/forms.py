"""Files in a body of `multipart/form-data` (RFC 7578). Pure; the body is in memory, and its size was limited before."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ailb.errors import BadRequest

MOST_HEAD: Final = 4096
"""Bytes of one part's headers."""

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*([\w*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


@dataclass(frozen=True, slots=True)
class File:
    """`name` has no folders."""

    name: str
    type: str
    content: bytes


def files(content_type: str, body: bytes, *, most: int) -> list[File]:
    """Raises BadRequest for what is no such body, for a part that is no file, and for more than `most`."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest("the content-type has no boundary")
    made = [_file(part) for part in _parts(body, (found[1] or found[2]).encode("latin-1"), most)]
    if not made:
        raise BadRequest("there is no file in the form")
    return made


def _parts(body: bytes, boundary: bytes, most: int) -> Iterator[bytes]:
    """Between each delimiter and the next; what stands before the first and after the last is nothing."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, most + 2)
    if len(pieces) > most + 2 or (len(pieces) == most + 2 and not pieces[-1].startswith(b"--")):
        raise BadRequest(f"there are more than {most} files in the form")
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BadRequest("the form is not complete: its last boundary is missing")
    for piece in pieces[1:-1]:
        line, _, part = piece.partition(b"\r\n")
        if line.strip(b" \t"):
            raise BadRequest("the form is malformed: something stands behind a boundary")
        yield part


def _file(part: bytes) -> File:
    end = part.find(b"\r\n\r\n", 0, MOST_HEAD)
    if end < 0:
        raise BadRequest("the form is malformed: a part has no headers, or too many")
    lines = part[:end].decode("utf-8", errors="replace").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    told = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(headers.get("content-disposition", ""))}
    name = re.split(r"[/\\]", told.get("filename", "").replace('\\"', '"').replace("%22", '"'))[-1].strip()
    if not name:
        raise BadRequest(f"{told.get('name', '')[:80]}: is no file; every part of the form must have a filename")
    return File(name, headers.get("content-type", ""), part[end + 4 :])
