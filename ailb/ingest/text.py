"""Bytes to text that every database and every model can take."""

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer ones before those that they begin with (Unicode, 2.13)."""

MARKS: Final = tuple(mark for mark, _ in _MARKS)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_EMBEDDED = re.compile(r"data:[\w.+/-]{1,100};base64,[A-Za-z0-9+/=%_-]{64,}")
"""Pictures and fonts within a text."""


def decoded(content: bytes) -> str:
    """By its byte order mark, else UTF-8, else Windows-1252, which is what old texts without either mostly are.

    Raises ValueError, saying what is wrong, for what is no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                raise ValueError(f"begins as {encoding.removesuffix('-sig').upper()}, and is none") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if _CONTROL.search(text):
        raise ValueError("is no text: it has control characters in it")
    return text


def clean(text: str) -> str:
    """With line ends that are one, without NULs, halves of characters and what lies encoded in it."""
    text = _LINE_ENDS.sub("\n", text).replace("\0", "")
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _EMBEDDED.sub("data:", text) if ";base64," in text else text
