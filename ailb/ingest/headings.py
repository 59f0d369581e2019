"""The headings of a Markdown text, and which of them a place in it stands under.

Source: https://spec.commonmark.org/0.31.2/ 4.2 (ATX), 4.3 (setext), 4.5 (fences)
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)", re.DOTALL)
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NO_PARAGRAPH = re.compile(r" {4}|\t| {0,3}(?:[>|]|[-+*][ \t]|\d{1,9}[.)][ \t]|(?:[-*_][ \t]*){3,}$)")
"""Lines that a line of dashes makes no heading of: code, quotes, tables, lists, rules."""

_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_MARKS = re.compile(r"[*_`]+(?=\S)|(?<=\S)[*_`]+")
MOST_TITLE: Final = 150
SEPARATOR: Final = " > "


@dataclass(frozen=True, slots=True)
class Heading:
    """`at` is the first character of its line."""

    at: int
    level: int
    title: str


def headings(text: str) -> list[Heading]:
    """In their order; those in code fences are none."""
    found: list[Heading] = []
    fence, before, at, last = "", "", 0, 0
    for line in text.split("\n"):
        closing = _FENCE.fullmatch(line)
        if fence:
            if closing and closing[1].startswith(fence) and not closing[2].strip():
                fence = ""
            before = ""
        elif closing and not (closing[1][0] == "`" and "`" in closing[2]):
            fence, before = closing[1], ""
        elif atx := _ATX.fullmatch(line):
            found.append(Heading(at, len(atx[1]), _title(atx[2] or "")))
            before = ""
        elif before and (setext := _SETEXT.fullmatch(line)):
            found.append(Heading(last, 1 if setext[1][0] == "=" else 2, _title(before)))
            before = ""
        else:
            before = "" if _NO_PARAGRAPH.match(line) else line.strip()
        last = at
        at += len(line) + 1
    return found


class Paths:
    """The way to each place: the titles of the headings above it, the highest first."""

    def __init__(self, found: Sequence[Heading]) -> None:
        self._starts = [heading.at for heading in found]
        self._paths: list[str] = []
        above: list[Heading] = []
        for heading in found:
            above = [*(higher for higher in above if higher.level < heading.level), heading]
            self._paths.append(SEPARATOR.join(one.title for one in above if one.title))

    def at(self, place: int) -> str:
        """A heading that begins at `place` is part of it. Empty above the first one."""
        index = bisect_right(self._starts, place)
        return self._paths[index - 1] if index else ""


def _title(text: str) -> str:
    return _MARKS.sub("", _LINK.sub(r"\1", text)).strip()[:MOST_TITLE]
