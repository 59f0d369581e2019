"""A file's bytes to texts that can be cut. Pure; what it takes is limited by whoever runs it."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

from ailb.ingest.headings import headings
from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.text import clean, decoded

Kind = Literal["text", "markdown", "html", "pdf"]

KINDS: Final[dict[str, Kind]] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
}
"""By the end of a name, in small letters."""

_TYPES: Final[dict[str, Kind]] = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A text that is cut for itself. `marked`: it is Markdown."""

    text: str
    marked: bool
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    title: str
    parts: tuple[Part, ...]


def kind(name: str, content_type: str = "") -> Kind | None:
    """By the name's end, else by the content type; None for what nobody here can read."""
    by_name = KINDS.get(PurePosixPath(name).suffix.lower())
    return by_name or _TYPES.get(content_type.partition(";")[0].strip().lower())


def parse(name: str, content: bytes, limits: Limits, content_type: str = "") -> Parsed:
    """Raises Unreadable."""
    found = kind(name, content_type)
    try:
        if found is None:
            raise ValueError(f"is of no kind that can be read; there are {', '.join(KINDS)}")
        if len(content) > limits.bytes:
            raise ValueError(f"has {len(content)} bytes, and may have {limits.bytes}")
        title, parts = _read(found, content, limits)
        if not any(part.text.strip() for part in parts):
            raise ValueError("has no text")
    except ValueError as problem:
        raise Unreadable(name, str(problem)) from None
    return Parsed(" ".join(title.split())[:500] or PurePosixPath(name).stem, parts)


def _read(found: Kind, content: bytes, limits: Limits) -> tuple[str, tuple[Part, ...]]:
    """Raises ValueError. HTML and PDF need packages that not everybody has."""
    if found == "pdf":
        from ailb.ingest.pdf import pages

        title, texts = pages(content, limits.pages)
        return clean(title), tuple(Part(clean(text), False, number) for number, text in enumerate(texts, 1))
    if found == "html":
        from ailb.ingest.html import markdown

        title, text = markdown(content)
        text = clean(text)
        return clean(title) or _first(text), (Part(text, True),)
    text = clean(decoded(content))
    if found == "markdown":
        return _first(text), (Part(text, True),)
    return "", (Part(text, False),)


def _first(text: str) -> str:
    """The first heading, if it is one of the highest."""
    found = headings(text)
    return found[0].title if found and found[0].level == 1 else ""
