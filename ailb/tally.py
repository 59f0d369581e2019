"""Plain numbers by name, counted by several processes of one gateway and added up by whichever of them is asked.

    tally = Tally()                                  # a process alone; else `Shared(processes).tally(seat)`
    row = tally.row("route", "openai", "gpt-4o", width=3)
    row[0] += 1                                      # the hot path: an item of memory, no lock, no call
    tally.sums()                                     # {("route", "openai", "gpt-4o"): [1, 0, 0], ...} over all seats

Numbers are integers of 64 bits: fractions are counted in a smaller unit. The memory is mapped before the processes are forked, so there is
no file to clean up, a process that is killed loses nothing, and nobody waits for one that hangs. Who takes the seat of a process that died
counts on from its numbers, so that sums never go back; only a row that says what is now, and not what was, must be set to 0 by its owner.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from mmap import mmap
from typing import Any, Final, Protocol

import structlog

from ailb.turns import in_turns

LOG = structlog.get_logger("ailb.tally")
SIZE: Final = 32 * 1024 * 1024
"""Bytes of each process; the system provides what is used of them. Two thousand targets with long names take a fifth."""

_WORD: Final = 8
_HEAD: Final = 2

Name = tuple[str, ...]


class Row(Protocol):
    """Integers. Only its owner writes."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, value: int, /) -> None: ...


class Shared:
    """Made before the fork, for so many processes at a time."""

    def __init__(self, seats: int, *, size: int = SIZE) -> None:
        self._pages = [mmap(-1, size) for _ in range(seats)]

    def tally(self, seat: int) -> "Tally":
        """For the process in that seat, in which nobody else may be."""
        return Tally(self._pages, seat)


class Tally:
    """What the process in `seat` counts, and what all have counted. Without `pages` it is alone."""

    def __init__(self, pages: Sequence[Any] = (), seat: int = 0) -> None:
        self._pages = [_Page(page) for page in pages] or [_Page(mmap(-1, SIZE))]
        self._own = self._pages[seat]
        self._own.look()
        self._full = False

    def row(self, *name: str, width: int = 1) -> Row:
        """The numbers of that name, 0 in the beginning or what was there. To be kept by who counts: it is slow.

        Where no memory is left, they are counted in vain, which is told in the log.
        """
        row = self._own.rows.get(name) or self._own.add(name, width)
        if row is None:
            if not self._full:
                LOG.error("no memory is left for more numbers; they are not counted", rows=len(self._own.rows))
            self._full = True
            return [0] * width
        return row

    def sums(self) -> Mapping[Name, list[int]]:
        """Each seat as of about now: what one process counts at once, another may see in part."""
        found: dict[Name, list[int]] = {}
        for page in self._pages:
            page.look()
        for seat, page in enumerate(self._pages):
            found |= {name: numbers for name in page.rows if (numbers := self._sum(seat, name)) is not None}
        return found

    async def walk(self) -> AsyncIterator[tuple[Name, list[int]]]:
        """As `sums`, one after another: everything else in the process has its turn in between."""
        for page in self._pages:
            async for _ in in_turns(page.found()):
                pass
        for seat, page in enumerate(self._pages):
            async for name in in_turns(list(page.rows)):
                if (numbers := self._sum(seat, name)) is not None:
                    yield name, numbers

    def _sum(self, seat: int, name: Name) -> list[int] | None:
        """Of a row that this seat has; None where one before it has it too, which tells it."""
        if any(name in page.rows for page in self._pages[:seat]):
            return None
        row, *others = [page.rows[name] for page in self._pages[seat:] if name in page.rows]
        return [sum(numbers) for numbers in zip(row, *others, strict=True)] if others else row.tolist()

    def each(self, kind: str) -> Iterator[tuple[Name, list[int]]]:
        """The rows whose name begins with `kind`, each seat's by itself: of what is not to be added up."""
        for page in self._pages:
            page.look()
            yield from ((name, row.tolist()) for name, row in list(page.rows.items()) if name[0] == kind)

    def clear(self, kind: str) -> None:
        """Sets this process's own rows of the kind to 0, which say what is now: they may be a dead process's."""
        for name, row in self._own.rows.items():
            if name[0] == kind:
                row[:] = memoryview(bytes(row.nbytes)).cast("q")


class _Page:
    """The first number is how many are used, 0 for none. Then one record after another: the number of the name's bytes, the number of
    the row's numbers, the name as JSON, filled up to whole numbers, and the row. Records are added, never moved, and seen once they are
    whole.
    """

    def __init__(self, memory: Any) -> None:
        self._bytes = memoryview(memory)
        self._numbers = self._bytes.cast("q")
        self._seen = 1
        self.rows: dict[Name, memoryview[int]] = {}

    def add(self, name: Name, width: int) -> "memoryview[int] | None":
        """None: it does not fit."""
        text = json.dumps(name).encode()  # in ASCII, whatever a client's name for a model has in it
        start, _, end = self._record(self._seen, len(text), width)
        if end > len(self._numbers):
            return None
        self._numbers[self._seen], self._numbers[self._seen + 1] = len(text), width
        self._bytes[start * _WORD : start * _WORD + len(text)] = text
        self._numbers[0] = end
        self.look()
        return self.rows[name]

    def look(self) -> None:
        for _ in self.found():
            pass

    def found(self) -> Iterator[Name]:
        """Finds the rows that were added since."""
        while self._seen < self._numbers[0]:
            length, width = self._numbers[self._seen], self._numbers[self._seen + 1]
            start, first, after = self._record(self._seen, length, width)
            name = tuple(json.loads(bytes(self._bytes[start * _WORD : start * _WORD + length])))
            self.rows[name] = self._numbers[first:after]
            self._seen = after
            yield name

    def _record(self, at: int, length: int, width: int) -> tuple[int, int, int]:
        """Where its name and its row begin, and the next record."""
        first = at + _HEAD + -(-length // _WORD)
        return at + _HEAD, first, first + width
