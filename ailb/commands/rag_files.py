"""Which files are meant by paths on the command line."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from unicodedata import normalize

from ailb.ingest.limits import Unreadable
from ailb.ingest.parse import kind

OFFICE: Final = frozenset({".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".odp", ".epub", ".mobi", ".msg"})
"""Ends of names of which nobody means a text, whatever lies in the file."""


@dataclass(frozen=True, slots=True)
class File:
    """`id` is the path below the folder that was given, or the name of a file that was. `folder` is that folder's mark, or empty."""

    id: str
    path: Path
    folder: str = ""

    @property
    def guess(self) -> str:
        """Its content type: what was named itself, and whose name does not say what it is, is text."""
        return "" if self.folder or self.path.suffix.lower() in OFFICE else "text/plain"

    def read(self, most: int) -> bytes:
        """Raises Unreadable."""
        try:
            if (size := self.path.stat().st_size) > most:
                raise Unreadable(self.id, f"has {size} bytes, and may have {most}")
            return self.path.read_bytes()
        except OSError as problem:
            raise Unreadable(self.id, f"cannot be read: {problem.strerror}") from None


@dataclass(slots=True)
class Walked:
    """`folders` are the marks of those of which everything was seen. `problems`: what cannot be looked at, and why. `others`: how many
    files in them are of no kind that can be read.
    """

    files: dict[str, File] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    problems: list[Unreadable] = field(default_factory=list)
    others: int = 0


def walk(paths: Sequence[Path]) -> Walked:
    """In folders, everything that can be read by its name's end and is not hidden. What was named itself is meant whatever it is."""
    walked = Walked()
    for path in paths:
        before = len(walked.problems)
        if path.is_dir():
            for file in _below(path, walked):
                _add(walked, file)
            if len(walked.problems) == before:
                walked.folders.add(mark(path))
        elif path.exists():
            _add(walked, File(normalize("NFC", path.name), path))
        else:
            walked.problems.append(Unreadable(str(path), "there is no such file or folder"))
    return walked


def mark(folder: Path) -> str:
    """By which documents are known to have come from it, without telling readers where that was."""
    return sha256(str(folder.resolve()).encode(errors="replace")).hexdigest()[:16]


def _below(folder: Path, walked: Walked) -> Iterator[File]:
    own = mark(folder)

    def problem(error: OSError) -> None:
        walked.problems.append(Unreadable(str(error.filename), f"cannot be read: {error.strerror}"))

    for where, folders, names in os.walk(folder, onerror=problem):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if name.startswith(".") or not path.is_file():
                continue
            if kind(name) is None:
                walked.others += 1
            else:
                yield File(normalize("NFC", path.relative_to(folder).as_posix()), path, own)


def _add(walked: Walked, file: File) -> None:
    other = walked.files.setdefault(file.id, file)
    if other is not file and other.path.resolve() != file.path.resolve():
        walked.problems.append(Unreadable(str(file.path), f"would take the place of {other.path}: both are {file.id}"))
