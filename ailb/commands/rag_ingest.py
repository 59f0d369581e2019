"""Files into a collection: read, cut and embedded in processes of their own, and handed to the gateway a few passages at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from ailb.commands.rag_files import File, Walked, walk
from ailb.commands.rag_gateway import COLLECTIONS, Gateway, collection, documents
from ailb.embed_files import found
from ailb.errors import BadRequest, ConfigError, NotFound, Unavailable
from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.parser import Document, Parser

FOLDER: Final = "folder"
"""The metadata by which a document is known to have come from a folder."""

PAUSES: Final = (0.5, 2.0, 5.0, 15.0)
"""Seconds before each further try, where the gateway is not there or has too much to do."""


@dataclass(frozen=True, slots=True)
class How:
    """`keep`: what is no more in a folder stays in the collection. `jobs` is how many processes read."""

    shared: bool = False
    keep: bool = False
    jobs: int = 1
    model_path: str | None = None
    limits: Limits = field(default_factory=Limits)
    pauses: Sequence[float] = PAUSES


@dataclass(slots=True)
class Sums:
    """What came of it. `problems`: what was not taken in, and why; `others`: files of other kinds in the folders."""

    taken: int = 0
    unchanged: int = 0
    removed: int = 0
    passages: int = 0
    others: int = 0
    problems: list[Unreadable] = field(default_factory=list)


class Progress(Protocol):
    def begin(self, files: int) -> None: ...
    def step(self, sums: Sums) -> None:
        """A file is done with."""


async def ingest(gateway: Gateway, name: str, paths: Sequence[Path], how: How, progress: Progress) -> Sums:
    """Raises what the gateway refuses altogether; what it has by then it keeps, and is not sent again."""
    return await _Ingest(gateway, name, how, progress).run(walk(paths))


class _Ingest:
    def __init__(self, gateway: Gateway, name: str, how: How, progress: Progress) -> None:
        self._gateway = gateway
        self._name = name
        self._how = how
        self._progress = progress
        self._embedder = ""
        self._there: dict[str, Any] = {}
        self._sums = Sums()

    async def run(self, walked: Walked) -> Sums:
        sums = self._sums
        sums.problems += walked.problems
        sums.others = walked.others
        self._embedder = (await self._collection())["embedder"] or ""
        listed = await self._tried(partial(self._gateway.all, documents(self._name), "documents"))
        self._there = {each["id"]: each for each in listed}
        self._progress.begin(len(walked.files))
        files = iter(walked.files.values())
        tasks = [asyncio.ensure_future(self._work(files)) for _ in range(self._how.jobs)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not self._how.keep:
            await self._remove(walked)
        return sums

    async def _collection(self) -> Any:
        """Made, where it is not there. Raises BadRequest where it is another one than was meant."""
        shared = self._how.shared
        try:
            there = await self._tried(partial(self._gateway.ask, "GET", collection(self._name)))
        except NotFound:
            body = {"name": self._name, "shared": shared}
            return await self._tried(partial(self._gateway.ask, "POST", COLLECTIONS, body))
        if there["shared"] != shared:
            raise BadRequest(f"there is a collection {self._name} that is {'not ' if shared else ''}shared")
        return there

    async def _work(self, files: Iterator[File]) -> None:
        """One process's share: whatever is next, as long as there is something."""
        async with Parser(self._how.limits, model_path=self._how.model_path) as parser:
            for file in files:
                try:
                    await self._take(parser, file)
                except Unreadable as problem:
                    self._sums.problems.append(problem)
                except BadRequest as refused:
                    self._sums.problems.append(Unreadable(file.id, refused.message))
                self._progress.step(self._sums)

    async def _take(self, parser: Parser, file: File) -> None:
        """Raises Unreadable, BadRequest, Unavailable."""
        content = await asyncio.to_thread(file.read, self._how.limits.bytes)
        hash = sha256(content).hexdigest()
        if self._there.get(file.id, {}).get("hash") == hash:
            self._sums.unchanged += 1
            return
        near = bool(self._embedder) and self._embedder == _local(self._how.model_path)
        said = {"hash": hash, "source": file.id, "bytes": len(content), "embedder": self._embedder}
        said["metadata"] = {FOLDER: file.folder} if file.folder else {}
        async with parser.document(file.id, content, content_type=file.guess, embed=near) as document:
            while chunks := await document.more():
                await self._put(file, document, {**said, "title": document.title, "chunks": chunks})
        self._sums.taken += 1

    async def _put(self, file: File, document: Document, body: dict[str, Any]) -> None:
        count = len(body["chunks"])
        body |= {"first": document.given - count, "last": document.given == document.total}
        await self._tried(partial(self._gateway.ask, "PUT", f"{documents(self._name, file.id)}/chunks", body))
        self._sums.passages += count

    async def _remove(self, walked: Walked) -> None:
        """Documents that came from a folder that was seen whole, and are not in it any more."""
        for id, there in self._there.items():
            if id not in walked.files and there["metadata"].get(FOLDER) in walked.folders:
                with suppress(NotFound):
                    await self._tried(partial(self._gateway.ask, "DELETE", documents(self._name, id)))
                self._sums.removed += 1

    async def _tried(self, call: "partial[Any]") -> Any:
        """Raises what the last try raises."""
        for pause in self._how.pauses:
            try:
                return await asyncio.to_thread(call)
            except Unavailable:
                await asyncio.sleep(pause)
        return await asyncio.to_thread(call)


def _local(model_path: str | None) -> str:
    """The name of the model that this machine has; empty where there is none: then the gateway embeds."""
    try:
        return found(model_path).name
    except ConfigError:
        return ""
