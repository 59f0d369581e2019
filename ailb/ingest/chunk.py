"""Texts cut into passages where their structure allows it: between sections, paragraphs, sentences, words."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from ailb.ingest.headings import Paths, headings
from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.parse import Parsed, Part

MOST_HEADING: Final = 200
"""Characters of the heading that go in front of the text: a model does not see more than 256 tokens of both."""

LEAD: Final = 3
"""Spaces that a heading may stand behind, which are no part of the passage that begins with it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`heading` is the way to it, as `Guide > Installing`."""

    text: str
    heading: str = ""
    page: int | None = None

    @property
    def embedded(self) -> str:
        return embedded(self.heading, self.text)


def embedded(heading: str, text: str) -> str:
    """What a model is given for a passage."""
    return f"{heading[-MOST_HEADING:]}\n\n{text}" if heading else text


def cut(name: str, parsed: Parsed, limits: Limits) -> list[Chunk]:
    """Raises Unreadable where there are too many."""
    made: list[Chunk] = []
    for part in parsed.parts:
        for chunk in _cut(part, limits):
            if len(made) == limits.chunks:
                raise Unreadable(name, f"makes more than {limits.chunks} passages")
            made.append(chunk)
    return made


def _cut(part: Part, limits: Limits) -> Iterator[Chunk]:
    """The path is that of the first character that was not in the passage before.

    A passage of nothing but headings is left out where the next one stands under them: they are in its path.
    """
    splitter = (MarkdownSplitter if part.marked else TextSplitter)(limits.chunk, overlap=limits.overlap)
    found = headings(part.text) if part.marked else []
    paths, starts = Paths(found), [heading.at for heading in found]
    seen = 0
    bare: Chunk | None = None
    for start, text in splitter.chunk_indices(part.text):
        if not text.strip():
            continue
        end = start + len(text)
        fresh = _visible(part.text, max(seen, start), end)
        seen = max(seen, end)
        chunk = Chunk(text, paths.at(fresh), part.page)
        if bare is not None and not chunk.heading.startswith(bare.heading):
            yield bare
        lines = sum(1 for line in text.split("\n") if line.strip())
        if lines == bisect_left(starts, end) - bisect_left(starts, start - LEAD):
            bare = Chunk(text, paths.at(end - 1), part.page)
        else:
            bare = None
            yield chunk
    if bare is not None:
        yield bare


def _visible(text: str, place: int, end: int) -> int:
    """The first character from `place` on that is no white space; the last before `end` at the most."""
    while place < end - 1 and text[place].isspace():
        place += 1
    return place
