"""What an answer cites by number, as OpenAI tells it. Pure.

A place is counted in characters (Unicode code points), and its end is the one behind the last: `text[start:end]` is the citation.

Sources: `annotations` of a message, https://platform.openai.com/docs/api-reference/chat/object. Chat completions have no word for what is
no web page: that is the Responses API's `file_citation`, https://platform.openai.com/docs/guides/tools-file-search
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ailb.retrieval import Passage

CITATION: Final = re.compile(r"\[([0-9]{1,3}(?:, ?[0-9]{1,3})*)\]")
"""`[1]`, `[1, 2]`. In ASCII digits only: those of other scripts cite nothing."""

_CODE: Final = r"```.*?(?:```|\Z)|`[^`\n]*`"
_CODE_OR_CITATION: Final = re.compile(f"{_CODE}|{CITATION.pattern}", re.DOTALL)
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)
MOST_UNKNOWN: Final = 20


def annotations(text: str, sources: Sequence[Passage]) -> list[dict[str, Any]]:
    """One for each citation of a source that there is, in the text's order."""
    return [_annotation(sources[number - 1], start, end) for number, start, end in _citations(text) if 1 <= number <= len(sources)]


def unknown(text: str, count: int) -> list[int]:
    """The numbers that are cited, and are none of the `count` sources: at most 20, the lowest."""
    return sorted({number for number, _, _ in _citations(text) if not 1 <= number <= count})[:MOST_UNKNOWN]


def _citations(text: str) -> Iterator[tuple[int, int, int]]:
    """Number, start and end; none of what only looks like one in code, such as `a[0]`."""
    for match in _CODE_OR_CITATION.finditer(text):
        if match[1] is not None:
            for number in match[1].split(","):
                yield int(number), match.start(), match.end()


def _annotation(source: Passage, start: int, end: int) -> dict[str, Any]:
    title = source.title or source.source or source.document
    if _ADDRESS.fullmatch(source.source):
        citation = {"start_index": start, "end_index": end, "url": source.source, "title": title}
        return {"type": "url_citation", "url_citation": citation}
    return {"type": "file_citation", "file_id": source.document, "filename": source.source or title, "index": start}
