"""What glibc is told about the memory that it holds. Any other system's library is left as it is."""

import ctypes
from collections.abc import Mapping
from typing import Final

_ARENA_MAX: Final = -8
"""M_ARENA_MAX of mallopt."""


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
