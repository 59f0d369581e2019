"""A text that several processes of one gateway share: whoever takes it gets what any of them kept last."""

import json
import os
from contextlib import suppress
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import structlog

LOG = structlog.get_logger("ailb.latest")


class Latest:
    """Made before the fork, open between `with` and its end.

    The file has no name, so that it is gone with the last process. Each text is a line of JSON behind the others, at the place in the file
    that all processes share: one that is killed while it writes, or a full disk, leaves a line that is none, and the one before counts.
    """

    def __init__(self, text: str) -> None:
        self._first = text
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def keep(self, text: str) -> None:
        """Where that is not possible, the log says so."""
        if text == self.take():
            return
        try:
            self._file.write(f"\n{json.dumps(text)}\n".encode())
        except OSError as problem:
            LOG.error("a worker that is replaced begins with what was before", problem=str(problem))

    def take(self) -> str:
        number = self._file.fileno()
        for line in reversed(os.pread(number, os.fstat(number).st_size, 0).splitlines()):
            with suppress(ValueError):
                text: str = json.loads(line)
                return text
        return self._first
