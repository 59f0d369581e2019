"""What glibc is told about the memory that it holds. Any other system's library is left as it is."""

import ctypes
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_ARENA_MAX: Final = -8
"""M_ARENA_MAX of mallopt."""

_HUGE_PAGE: Final = 14
_COLLAPSE: Final = 25
"""MADV_HUGEPAGE and MADV_COLLAPSE of madvise."""

LARGE: Final = 2 * 1024 * 1024
_FULL: Final = 0.9
_MAPS: Final = Path("/proc/self/smaps")
_MAP: Final = re.compile(
    r"^(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) rw-p \S+ \S+ 0 *(?:\[heap\])?\n(?:(?!Rss:).*\n)*Rss: +(?P<resident>\d+) kB$", re.MULTILINE
)
"""Memory that is no file's, the heap among it."""


def share(environ: Mapping[str, str]) -> None:
    """One heap for all threads, before there are any: each would have its own, and hold what is free in it. With documents that is 10 MB of
    a gateway, and 12 MB of Chroma's process, and nothing that can be measured of a question. Where money is counted it costs some 5 % of a
    request: the ledger's thread asks for memory all the time.

    Whoever has said in the environment how many there are to be is heard.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None and "MALLOC_ARENA_MAX" not in environ:
        option(_ARENA_MAX, 1)


def give_back() -> None:
    """Memory that is free, to the system: loading a model leaves 60 MB of it behind."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def widen() -> None:
    """What is held by now into pages of 2 MB, where Linux makes some for who asks (`transparent_hugepage`; since 6.1 at once). A request
    looks at so many places that the processor cannot remember where all their pages of 4 KB are.
    """
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is None or not _MAPS.exists():
        return
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in full(_MAPS.read_text()):
        for at in range(-(-start // LARGE) * LARGE, end - LARGE + 1, LARGE):
            if advise(at, LARGE, _HUGE_PAGE) == 0:
                advise(at, LARGE, _COLLAPSE)


def full(maps: str) -> Iterator[tuple[int, int]]:
    """From `/proc/self/smaps` (see proc(5)): where memory of the process's own begins and ends that is full of what was written to it. A
    thread's stack is not: it would become as large as it may ever be.
    """
    for found in _MAP.finditer(maps):
        start, end = int(found["start"], 16), int(found["end"], 16)
        if int(found["resident"]) * 1024 >= _FULL * (end - start):
            yield start, end
