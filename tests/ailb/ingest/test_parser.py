import asyncio
import os
from importlib.util import find_spec
from typing import Any

import pytest

if find_spec("onnxruntime") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.parser import Parser
from tests.ailb.ingest.pdfs import pdf

BOMB = pdf(["x"] * 20, stream=b"BT /F1 9 Tf " + b"(a) Tj " * 3_000_000 + b" ET", flate=True)
ENDLESS = b"<p>x</p>" * 2_000_000


async def read(parser: Parser, name: str, content: bytes, **more: Any) -> list[dict[str, Any]]:
    async with parser.document(name, content, **more) as document:
        chunks: list[dict[str, Any]] = []
        while part := await document.more():
            chunks += part
        assert (document.total, document.given) == (len(chunks), len(chunks))
    return chunks


async def test_documents_go_through_one_worker() -> None:
    async with Parser() as parser:
        assert ["text"] == [chunk["text"] for chunk in await read(parser, "a.txt", b"text")]
        worker = parser._worker
        assert [1, 2] == [chunk["page"] for chunk in await read(parser, "a", pdf(["one", "two"]), content_type="application/pdf")]
        with pytest.raises(Unreadable, match=r"a\.pdf: is a broken PDF"):
            await read(parser, "a.pdf", b"no")
        assert worker is parser._worker
    assert worker is not None
    assert worker.returncode is not None


async def test_those_who_come_at_once_wait_for_each_other() -> None:
    async with Parser() as parser:
        found = await asyncio.gather(*(read(parser, f"{word}.txt", word.encode()) for word in ("one", "two", "three")))
    assert ["one", "two", "three"] == [chunk["text"] for (chunk,) in found]


async def test_vectors_are_made_where_they_are_wanted() -> None:
    async with Parser() as parser, parser.document("a.txt", b"text", embed=True) as document:
        assert "all-MiniLM-L6-v2-w8a8" == document.embedder
        ((chunk,)) = await document.more()
        assert 384 == len(chunk["vector"])
        assert [] == await document.more()


async def test_whoever_leaves_early_leaves_nothing_to_the_next() -> None:
    async with Parser(Limits(chunk=100, overlap=0)) as parser:
        async with parser.document("a.txt", b"word " * 5000) as document:
            assert await document.more()
        assert ["text"] == [chunk["text"] for chunk in await read(parser, "b.txt", b"text")]


@pytest.mark.parametrize(
    ("limits", "name", "content", "problem"),
    [
        (Limits(cpu_seconds=0), "a.html", ENDLESS, "takes more than 0 seconds of the processor"),
        (Limits(seconds=0.05), "a.html", ENDLESS, "takes more than 0.05 seconds"),
        (Limits(memory=64 << 20, bytes=1 << 30), "a.txt", b"x " * 20_000_000, "needs more than 64 MB of memory"),
        (Limits(cpu_seconds=1), "a.pdf", BOMB, "a.pdf: "),
        (Limits(), "a.html", b"<div>" * 100_000, "is nested too deeply"),
        (Limits(bytes=10), "a.txt", b"x" * 11, "has 11 bytes, and may have 10"),
    ],
)
async def test_a_bomb_harms_itself_only(limits: Limits, name: str, content: bytes, problem: str) -> None:
    async with Parser(limits) as parser:
        with pytest.raises(Unreadable, match=problem):
            await read(parser, name, content)
    async with Parser() as parser:
        assert 1 == len(await read(parser, "b.txt", b"text"))


async def test_a_worker_that_died_is_told_and_another_one_takes_its_place() -> None:
    async with Parser() as parser:
        await read(parser, "a.txt", b"text")
        assert parser._worker is not None
        os.kill(parser._worker.pid, 9)
        await parser._worker.wait()
        assert 1 == len(await read(parser, "b.txt", b"text"))
        async with parser.document("a.txt", b"word " * 100_000) as document:
            os.kill(parser._worker.pid, 9)
            with pytest.raises(Unreadable, match=r"a\.txt: cannot be read: its worker has ended with -9"):
                while await document.more():
                    pass
        assert 1 == len(await read(parser, "c.txt", b"text"))


async def test_it_does_not_know_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    async with Parser() as parser:
        await read(parser, "a.txt", b"text")
        assert parser._worker is not None
        with open(f"/proc/{parser._worker.pid}/environ", "rb") as file:
            known = file.read()
        assert min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10) == os.getpriority(os.PRIO_PROCESS, parser._worker.pid)
    assert b"PATH=" in known
    assert b"sk-canary" not in known


async def test_a_worker_with_nothing_to_do_is_sent_away() -> None:
    async with Parser(idle_seconds=0) as parser:
        await read(parser, "a.txt", b"text")
        worker = parser._worker
        assert worker is not None
        await worker.wait()
        assert 1 == len(await read(parser, "b.txt", b"text"))
