"""Questions of which is known where their answers stand: XQuAD's, and some about this project's own pages."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ailb.ingest.chunk import Chunk, cut
from ailb.ingest.headings import SEPARATOR, headings
from ailb.ingest.limits import Limits
from ailb.ingest.parse import Parsed, Part, parse
from ailb.retrieval import Passage
from benchmarks.children import ROOT, BenchmarkError

LANGUAGES = ("en", "de", "es", "zh", "ar")
WHOLE = Limits()
SMALL = replace(WHOLE, chunk=300, overlap=60)
PAGES = ROOT / "docs"
OWN = Path(__file__).with_name("retrieval_docs.json")


Document = tuple[str, str, Sequence[Chunk]]
"""An id, a title, and the passages."""


@dataclass(frozen=True, slots=True)
class Question:
    """`answer` is a text that the passage must have in it, `heading` one that it must stand under or have in it; empty: any will do."""

    text: str
    document: str
    answer: str = ""
    heading: str = ""

    def is_answered(self, passage: Passage) -> bool:
        if passage.document != self.document or self.answer not in passage.text:
            return False
        return not self.heading or self.heading in titles(passage.heading, passage.text)


@dataclass(frozen=True, slots=True)
class Set:
    """`by_document`: a document counts once, where its first passage is."""

    name: str
    documents: Sequence[Document]
    questions: Sequence[Question]
    by_document: bool = True

    def fewer(self, every: int) -> "Set":
        return replace(self, questions=self.questions[::every])


def folder() -> Path:
    """Raises BenchmarkError where XQuAD is not there."""
    found = Path(os.environ.get("AILB_SHARED") or ROOT.parent / "shared") / "rag"
    if not found.is_dir():
        raise BenchmarkError(f"no {found}: set AILB_SHARED to a folder whose `rag` has xquad.en.json and the other languages'")
    return found


def xquad(folder: Path, language: str, limits: Limits = WHOLE, *, exact: bool = False) -> Set:
    """Paragraphs as documents without titles. `exact`: only a passage with the answer in it will do, else any of the paragraph."""
    data = json.loads((folder / f"xquad.{language}.json").read_text(encoding="utf-8"))["data"]
    documents: list[Document] = []
    questions: list[Question] = []
    for paragraph in (paragraph for article in data for paragraph in article["paragraphs"]):
        id, text = str(len(documents)), paragraph["context"]
        documents.append((id, "", cut(id, Parsed("", (Part(text, False),)), limits)))
        questions += [Question(asked["question"], id, asked["answers"][0]["text"] if exact else "") for asked in paragraph["qas"]]
    name = f"XQuAD {language}"
    if limits.chunk != WHOLE.chunk:
        name += f", passages of {limits.chunk} characters" + (", with the answer" if exact else "")
    return Set(name, documents, questions, not exact)


def own() -> Set:
    """The README and the pages in `docs`; a passage answers if it belongs to the section."""
    paths = [ROOT / "README.md", *sorted(PAGES.glob("*.md"))]
    documents: list[Document] = []
    for path in paths:
        parsed = parse(path.name, path.read_bytes(), WHOLE)
        documents.append((path.relative_to(ROOT).as_posix(), parsed.title, cut(path.name, parsed, WHOLE)))
    return Set("how-to, AILB's own pages", documents, list(asked()), by_document=False)


def asked() -> Iterator[Question]:
    for row in json.loads(OWN.read_text(encoding="utf-8")):
        yield Question(row["question"], row["document"], heading=row["heading"])


def titles(path: str, text: str) -> list[str]:
    """Of the sections that a passage belongs to: the one that it begins in, and those that begin in it."""
    return [path.split(SEPARATOR)[-1], *(heading.title for heading in headings(text))]
