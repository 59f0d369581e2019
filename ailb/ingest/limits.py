"""What a document may take of this machine, and how it is cut. A file from anywhere may be made to take all of it."""

from dataclasses import dataclass
from typing import Final

from ailb.errors import BadRequest

MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """`cpu_seconds`, `seconds` and `memory` (bytes, on top of what the process has anyway) are for reading and cutting one document.
    `chunk` and `overlap` are characters.
    """

    bytes: int = 20 * MEGABYTE
    pages: int = 2000
    chunks: int = 20_000
    chunk: int = 1000
    overlap: int = 100
    cpu_seconds: int = 30
    seconds: float = 60.0
    memory: int = 512 * MEGABYTE


class Unreadable(BadRequest):
    """A document that cannot be taken in; the message says which one, and why."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem
