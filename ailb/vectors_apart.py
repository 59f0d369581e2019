"""Vectors in a process apart: started when they are asked for, and anew when it has died or hangs."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
import structlog

import ailb
from ailb.embedding import Vector
from ailb.errors import Unavailable
from ailb.vectors import packed
from ailb.vectors_child import HEAD, MOST_FRAME, frame

LOG = structlog.get_logger("ailb.vectors")
BATCH: Final = 32
"""Rows that are added at a time: a question waits for no more of them than these, 30 ms."""

START_SECONDS: Final = 20.0
WRITE_SECONDS: Final = 30.0
"""A process that has said nothing for so long while it was asked is killed."""

REST_SECONDS: Final = 2.0
"""How long nobody asks after a question that was not answered in time, unless something is heard before."""

MOST_WAITING: Final = 256
"""Questions at a time."""

PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that the process gets. Chroma takes its settings from any, and the gateway's hold keys."""


class Apart:
    """`Vectors`, open between `async with` and its end. `where`: `{"folder": ...}` absolute, or `{"url": ..., "token": ...}`."""

    def __init__(
        self, where: Mapping[str, str], *, query_seconds: float = 1.0, command: Sequence[str] = ("-m", "ailb.vectors_child")
    ) -> None:
        self._where = where
        self._query_seconds = query_seconds
        self._command = command
        self._writing = asyncio.Lock()
        self._starting: asyncio.Task[_Child] | None = None
        self._resting = 0.0
        self._again = 0.0
        self._answered: bool | None = None

    async def __aenter__(self) -> Self:
        """Starts it where there is something in it, so that the first question need not wait."""
        if "url" in self._where or await asyncio.to_thread(os.path.isdir, self._where["folder"]):
            self._start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        starting, self._starting = self._starting, None
        if starting is None:
            return
        starting.cancel()  # one that is still being opened has nothing to lose, and the end of the gateway does not wait for it
        await asyncio.wait((starting,))
        if not starting.cancelled() and starting.exception() is None:
            await starting.result().end()

    @property
    def up(self) -> bool | None:
        """Whether it lives, and answered when it was last asked. None: nobody has asked it yet, and it is not open."""
        starting = self._starting
        if starting is None or not starting.done():
            return self._answered
        return self._answered is not False and not self._ended(starting)

    async def add(self, collection: str, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        for at in range(0, len(ids), BATCH):
            numbers = b"".join(packed(vector).tobytes() for vector in vectors[at : at + BATCH])
            await self._write({"do": "add", "collection": collection, "ids": list(ids[at : at + BATCH])}, numbers)

    async def delete(self, collection: str, ids: Sequence[int]) -> None:
        for at in range(0, len(ids), BATCH):
            await self._write({"do": "delete", "collection": collection, "ids": list(ids[at : at + BATCH])})

    async def drop(self, collection: str) -> None:
        await self._write({"do": "drop", "collection": collection})

    async def query(self, collection: str, vector: Vector, most: int) -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting:
            raise Unavailable("the vector store does not answer")
        found = await self._ask({"do": "query", "collection": collection, "most": most}, packed(vector).tobytes(), self._query_seconds)
        return [(int(id), float(score)) for id, score in found or ()]

    async def _write(self, said: dict[str, Any], numbers: bytes = b"") -> None:
        """One at a time, so that questions need not wait for more than one."""
        async with self._writing:
            await self._ask(said, numbers, START_SECONDS + WRITE_SECONDS)

    async def _ask(self, said: dict[str, Any], numbers: bytes, seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                child = await asyncio.shield(self._start())
                found = await child.ask(said, numbers)
        except TimeoutError:
            self._missed()
            raise Unavailable("the vector store does not answer in time") from None
        except _Gone as gone:
            self._answered = False
            raise Unavailable("the vector store is not available") from gone
        self._answered, self._resting = True, 0.0
        return found

    @staticmethod
    def _ended(starting: "asyncio.Task[_Child]") -> bool:
        return starting.done() and (starting.cancelled() or starting.exception() is not None or starting.result().gone)

    def _missed(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._resting:
            LOG.warning("the vector store does not answer in time")
        self._answered, self._resting = False, now + REST_SECONDS
        starting = self._starting
        if starting is not None and starting.done() and not starting.cancelled() and starting.exception() is None:
            starting.result().judge()

    def _start(self) -> "asyncio.Task[_Child]":
        """The process that is there, or one that is being started. Raises _Gone for one that ended a moment ago."""
        starting = self._starting
        if starting is None or self._ended(starting):
            now = asyncio.get_running_loop().time()
            if now < self._again:
                raise _Gone("it has just ended")
            self._again = now + REST_SECONDS
            starting = self._starting = asyncio.create_task(_started(self._command, self._where))
            starting.add_done_callback(_seen)
        return starting


class _Gone(Exception):
    """The process has died, could not be started, or could not do it."""


class _Child:
    """One process. Its answers are read as long as it lives."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._heard = asyncio.get_running_loop().time()
        self.gone = False
        self.most_silence = WRITE_SECONDS
        self._reading = asyncio.create_task(self._read())

    async def ask(self, said: Mapping[str, Any], numbers: bytes = b"") -> Any:
        """Raises _Gone."""
        if self.gone or len(self._waiting) >= MOST_WAITING:
            raise _Gone("too many are waiting for it" if not self.gone else "it has died")
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._heard = loop.time()
        self._last += 1
        id = self._last
        future = self._waiting[id] = loop.create_future()
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(frame({**said, "id": id}, numbers))
            await self._process.stdin.drain()
        except OSError as error:
            self._waiting.pop(id, None)
            raise _Gone(str(error)) from error
        return await future  # one that is given up is worked at all the same, and stays among those that wait

    def judge(self) -> None:
        """Kills it, where it has been silent for too long."""
        if self._waiting and asyncio.get_running_loop().time() - self._heard > self.most_silence:
            LOG.error("the vector store's process hangs, and is killed", pid=self._process.pid)
            self.kill()

    async def end(self) -> None:
        """After what it is at, if that does not take long."""
        self._close()
        try:
            async with asyncio.timeout(3.0):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await asyncio.wait((self._reading,))

    def _close(self) -> None:
        """It ends with its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        self.gone = True
        if self._process.returncode is None:
            self._process.kill()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                length, size = HEAD.unpack(await self._process.stdout.readexactly(HEAD.size))
                if length + size > MOST_FRAME:
                    raise ValueError("a frame is too large")
                self._tell(orjson.loads(await self._process.stdout.readexactly(length + size)))
        except (asyncio.IncompleteReadError, OSError):  # it ends, and must not be killed: that would take its status from who waits for it
            self._close()
        except ValueError:  # there is no way to tell any more where an answer begins
            self.kill()
        self.gone = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_Gone("it has died"))
                future.exception()  # nobody may be waiting any more
        self._waiting.clear()

    def _tell(self, told: Mapping[str, Any]) -> None:
        self._heard = asyncio.get_running_loop().time()
        future = self._waiting.pop(told["id"], None)
        if future is None or future.done():
            return
        if "error" in told:
            LOG.warning("the vector store refused", problem=told["error"])
            future.set_exception(_Gone(told["error"]))
        else:
            future.set_result(told["found"])


async def _started(command: Sequence[str], where: Mapping[str, str]) -> _Child:
    """Raises _Gone."""
    environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    paths = (str(Path(ailb.__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    try:
        # Not in a folder where a user's `.env` may lie: Chroma would read it.
        process = await asyncio.create_subprocess_exec(sys.executable, "-P", *command, stdin=PIPE, stdout=PIPE, env=environ, cwd="/")
    except OSError as error:
        raise _Gone(str(error)) from error
    child = _Child(process)
    try:
        async with asyncio.timeout(START_SECONDS):
            await child.ask(where)
    except BaseException:  # cancellation too: nobody else knows of the process
        child.kill()
        await child.end()
        raise
    return child


def _seen(task: "asyncio.Task[_Child]") -> None:
    """Whoever asked may be gone by now, and that is no bug."""
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.warning("the vector store cannot be opened", problem=f"{type(error).__name__}: {error}")
