"""The other end of the worker: a document in, its passages out, and a new worker where it took the old one with it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from signal import SIGXCPU
from types import TracebackType
from typing import Any, Final, Self

import orjson

from ailb.errors import Unavailable
from ailb.ingest import frames
from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.needed import lacking

_KNOWN: Final = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
"""What the worker gets of the environment. It reads what strangers wrote, and needs no keys for that."""

IDLE_SECONDS: Final = 10.0
"""For how long a worker waits for the next document: with its model it takes 120 MB, and a third of a second to be started anew."""


class Document:
    """What becomes of one. `total` passages come in parts; `embedder` has made their vectors, and is empty where they have none."""

    def __init__(self, name: str, said: Mapping[str, Any], parser: "Parser") -> None:
        self.title: str = said["title"]
        self.total: int = said["total"]
        self.embedder: str = said["embedder"]
        self.name = name
        self.given = 0
        self._parser = parser

    async def more(self) -> list[dict[str, Any]]:
        """The next `{"text", "heading", "page", "vector"?}`; none at the end. Raises Unreadable."""
        if self.given == self.total:
            return []
        chunks: list[dict[str, Any]] = (await self._parser.said(self.name))["chunks"]
        self.given += len(chunks)
        return chunks


class Parser:
    """One worker, made when the first document comes. Documents are taken one at a time; others wait."""

    def __init__(self, limits: Limits | None = None, *, model_path: str | None = None, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limits = limits or Limits()
        self._idle_seconds = idle_seconds
        self._idle: asyncio.TimerHandle | None = None
        self._model_path = model_path
        self._turn = asyncio.Lock()
        self._worker: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await self._end()

    @asynccontextmanager
    async def document(self, name: str, content: bytes, *, content_type: str = "", embed: bool = False) -> AsyncIterator[Document]:
        """`embed`: by the local model. Raises Unreadable where it cannot be read or takes too much, Unavailable without a worker."""
        if len(content) > self._limits.bytes:
            raise Unreadable(name, f"has {len(content)} bytes, and may have {self._limits.bytes}")
        if problem := lacking():
            raise Unavailable(problem)
        asked = {"name": name, "type": content_type, "embed": embed, "model_path": self._model_path, "limits": asdict(self._limits)}
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            document: Document | None = None
            ready = False
            try:
                try:
                    document = Document(name, await self._ask(name, orjson.dumps(asked), content), self)
                except Unreadable:  # it has said so, and waits for the next one; or it is gone
                    ready = True
                    raise
                yield document
            finally:
                if not ready and (document is None or document.given < document.total):  # it would go on telling about this one
                    await self._end()
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._dismiss)

    async def said(self, name: str) -> dict[str, Any]:
        """What the worker says next. Raises Unreadable."""
        worker = self._worker
        if worker is None or worker.stdout is None:
            raise Unreadable(name, "is not being read any more")
        try:
            async with asyncio.timeout(self._limits.seconds):
                said: dict[str, Any] = orjson.loads(await frames.receive(worker.stdout))
        except TimeoutError:
            await self._end()
            raise Unreadable(name, f"takes more than {self._limits.seconds:g} seconds") from None
        except EOFError:
            raise Unreadable(name, self._why(await worker.wait())) from None
        if "problem" in said:
            raise Unreadable(name, said["problem"])
        return said

    async def _ask(self, name: str, *bodies: bytes) -> dict[str, Any]:
        worker = await self._alive()
        if worker.stdin is not None:
            with suppress(OSError):  # it has died, which `said` will find
                worker.stdin.writelines([part for body in bodies for part in (frames.head(body), body)])
                await worker.stdin.drain()
        return await self.said(name)

    async def _alive(self) -> asyncio.subprocess.Process:
        if self._worker is None or self._worker.returncode is not None:
            environ = {key: value for key, value in os.environ.items() if key in _KNOWN}
            command = (sys.executable, "-P", "-m", "ailb.ingest.worker")
            pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            try:
                self._worker = await asyncio.create_subprocess_exec(
                    *command, stdin=pipe, stdout=pipe, stderr=null, env=environ, start_new_session=True, limit=1 << 20
                )
            except OSError as problem:
                raise Unavailable(f"no worker can be started: {problem.strerror}") from None
        return self._worker

    def _why(self, status: int) -> str:
        if status == -SIGXCPU:
            return f"takes more than {self._limits.cpu_seconds} seconds of the processor"
        return f"cannot be read: its worker has ended with {status}"

    def _dismiss(self) -> None:
        """The event loop sees to the rest."""
        worker, self._worker = self._worker, None
        if worker is not None and worker.returncode is None:
            worker.kill()

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
        if worker.stdin is not None:
            worker.stdin.close()
