"""`python -m ailb.ingest.worker`: reads, cuts and embeds documents in a process of its own, which may be killed for it.

In: a frame with `{"name", "type", "embed", "model_path", "limits"}` and one with the document's bytes. Out: a frame
`{"title", "total", "embedder"}`, then frames `{"chunks": [{"text", "heading", "page", "vector"?}]}` until there were `total`;
or at any point `{"problem"}`, and nothing more about this document.
"""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson

from ailb.ingest import frames
from ailb.ingest.chunk import Chunk, cut
from ailb.ingest.limits import MEGABYTE, Limits, Unreadable
from ailb.ingest.parse import parse

AT_ONCE: Final = 8
"""Passages in a frame."""

NICE: Final = 10
DIGITS: Final = 7
"""Behind the point of a vector's numbers; 32-bit floats have no more."""


def main() -> int:
    """Until its standard input ends."""
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a package prints does not get between the frames
    embeds = _Embeds()
    while (said := frames.read(sys.stdin.buffer)) is not None:
        content = frames.read(sys.stdin.buffer)
        if content is None:
            return 1
        asked = orjson.loads(said)
        for answer in _answers(asked, content, embeds):
            frames.write(out, orjson.dumps(answer))
    return 0


class _Embeds:
    """The local model, loaded when the first document wants it."""

    def __init__(self) -> None:
        self._models: dict[str | None, Any] = {}

    def model(self, path: str | None) -> tuple[str, Any]:
        """Raises ConfigError."""
        from ailb.embed_files import found
        from ailb.embed_model import Model

        files = found(path)
        if path not in self._models:
            self._models[path] = Model(files)
        return files.name, self._models[path]


def _answers(asked: dict[str, Any], content: bytes, embeds: _Embeds) -> Iterator[dict[str, Any]]:
    name, limits = asked["name"], Limits(**asked["limits"])
    try:
        with _limited(limits):
            parsed = parse(name, content, limits, asked["type"])
            chunks = cut(name, parsed, limits)
        embedder, model = embeds.model(asked["model_path"]) if asked["embed"] else ("", None)
    except Unreadable as problem:
        yield {"problem": problem.problem}
        return
    except MemoryError:
        yield {"problem": f"needs more than {limits.memory // MEGABYTE} MB of memory"}
        return
    # A parser of what anybody has written meets whatever there is, and the next document is waiting.
    except Exception as problem:  # noqa: BLE001 - whoever asked is told
        yield {"problem": f"cannot be read: {type(problem).__name__}: {problem}"[:300]}
        return
    yield {"title": parsed.title, "total": len(chunks), "embedder": embedder}
    for start in range(0, len(chunks), AT_ONCE):
        yield {"chunks": [_told(chunk, model) for chunk in chunks[start : start + AT_ONCE]]}


def _told(chunk: Chunk, model: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"text": chunk.text, "heading": chunk.heading, "page": chunk.page}
    if model is not None:
        told["vector"] = [round(value, DIGITS) for value in model.embed(chunk.embedded)]
    return told


@contextmanager
def _limited(limits: Limits) -> Iterator[None]:
    """The system ends the process that works for longer (SIGXCPU), and gives no more memory (MemoryError)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = resource.getrlimit(resource.RLIMIT_CPU)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds, cpu[1]))
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + limits.memory, memory[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, memory)
        resource.setrlimit(resource.RLIMIT_CPU, cpu)


def _mapped() -> int:
    """Bytes of address space that the process has; 0 where nobody tells, which then limits all of it."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
