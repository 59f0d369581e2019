"""The records of all processes of one gateway: each keeps its own, and asks the others for what it does not have.

They listen on Unix sockets in a folder that only their user can enter, made before they were forked. One that is gone, or does not answer
in time, has nothing.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson
import structlog

from ailb.records import Records

LOG = structlog.get_logger("ailb.records")
SECONDS: Final = 1.0


class Shelf:
    """`path` is where this process listens between `async with` and its end, and the others beside it; None: it is alone."""

    def __init__(self, records: Records, path: Path | None = None) -> None:
        self._records = records
        self._path = path
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._path.unlink(missing_ok=True)  # of one that died in the same seat
            try:
                self._server = await asyncio.start_unix_server(self._serve, self._path)
            except OSError as problem:
                LOG.warning("the other processes cannot ask this one for its records", problem=str(problem))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.close()

    async def find(self, id: str, user: str | None = None) -> bytes | None:
        """As `Records.find`, wherever it is."""
        found = self._records.find(id, user)
        if found is not None or self._path is None:
            return found
        question = orjson.dumps([id, user]) + b"\n"
        others = [path for path in self._path.parent.iterdir() if path != self._path]
        answers = await asyncio.gather(*(_asked(path, question) for path in others))
        return next(filter(None, answers), None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TypeError):  # whoever asked is gone, or is no process of ours
            async with asyncio.timeout(SECONDS):
                id, user = orjson.loads(await reader.readline())
                writer.write(self._records.find(id, user) or b"")
                await writer.drain()
        writer.close()


async def _asked(path: Path, question: bytes) -> bytes | None:
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(question)
                return await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
