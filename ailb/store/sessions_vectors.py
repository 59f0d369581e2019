"""Vectors in rows, and how near they are to a question's: with numpy where it is there, else one by one."""

import sys
from array import array
from collections.abc import Mapping, Sequence
from operator import mul

from ailb.embedding import Vector

try:
    import numpy
except ImportError:  # it comes with the extra `rag` only
    numpy = None  # type: ignore[assignment]


def packed(vector: Vector) -> bytes:
    """32-bit floats, little-endian."""
    return _little(array("f", vector)).tobytes()


def cosines(vectors: Mapping[int, bytes], asked: Vector) -> dict[int, float]:
    """How near each is, by its id: 1 for the same direction. All have length 1. One of another dimension is left out."""
    size = 4 * len(asked)
    fitting = {id: raw for id, raw in vectors.items() if len(raw) == size}
    if not fitting:
        return {}
    near = _each(list(fitting.values()), asked) if numpy is None else _all(list(fitting.values()), asked)
    return dict(zip(fitting, near, strict=True))


def _all(raws: Sequence[bytes], asked: Vector) -> list[float]:
    matrix = numpy.frombuffer(b"".join(raws), dtype="<f4").reshape(len(raws), len(asked))
    found: list[float] = (matrix @ numpy.asarray(asked, dtype="<f4")).tolist()
    return found


def _each(raws: Sequence[bytes], asked: Vector) -> list[float]:
    return [sum(map(mul, _little(array("f", raw)), asked)) for raw in raws]


def _little(numbers: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
