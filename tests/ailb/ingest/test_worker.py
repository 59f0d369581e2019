"""The worker by itself, over its pipes. `test_parser` has it with its other end."""

import io
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import orjson
import pytest

if find_spec("onnxruntime") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.ingest import frames
from ailb.ingest.limits import Limits
from ailb.ingest.worker import AT_ONCE


def told(*documents: tuple[str, bytes], embed: bool = False, cut: int = 0, **limits: Any) -> tuple[int, list[Any]]:
    """Exit status, and all that it said."""
    asked = io.BytesIO()
    for name, content in documents:
        request = {"name": name, "type": "", "embed": embed, "model_path": None, "limits": asdict(Limits(**limits))}
        frames.write(asked, orjson.dumps(request))
        frames.write(asked, content)
    said = asked.getvalue()[: len(asked.getvalue()) - cut]
    ran = subprocess.run([sys.executable, "-m", "ailb.ingest.worker"], input=said, capture_output=True, check=False, timeout=50)
    out, found = io.BytesIO(ran.stdout), []
    while (frame := frames.read(out)) is not None:
        found.append(orjson.loads(frame))
    return ran.returncode, found


def test_a_document_becomes_passages() -> None:
    status, said = told(("a.md", b"# Guide\n\ntext"), ("b.txt", b"more"))
    assert 0 == status
    assert [
        {"title": "Guide", "total": 1, "embedder": ""},
        {"chunks": [{"text": "# Guide\n\ntext", "heading": "Guide", "page": None}]},
        {"title": "b", "total": 1, "embedder": ""},
        {"chunks": [{"text": "more", "heading": "", "page": None}]},
    ] == said


def test_many_come_in_parts() -> None:
    _, (first, *parts) = told(("a.txt", b"word " * 2000), chunk=500)
    assert first["total"] > AT_ONCE
    assert all(0 < len(part["chunks"]) <= AT_ONCE for part in parts)
    assert first["total"] == sum(len(part["chunks"]) for part in parts)


def test_with_vectors() -> None:
    _, (first, part) = told(("a.txt", b"more"), embed=True)
    assert "all-MiniLM-L6-v2-w8a8" == first["embedder"]
    assert [384] == [len(chunk["vector"]) for chunk in part["chunks"]]


def test_a_bad_one_is_told_and_the_next_one_is_read() -> None:
    status, said = told(("a.pdf", b"no"), ("b.txt", b"more"))
    assert (0, ["problem", "title", "chunks"]) == (status, [next(iter(one)) for one in said])


def test_one_that_wants_too_much_memory_is_told() -> None:
    _, said = told(("a.txt", b"x " * 20_000_000), ("b.txt", b"more"), bytes=1 << 30, memory=64 << 20)
    assert {"problem": "needs more than 64 MB of memory"} == said[0]
    assert "b" == said[1]["title"]


def test_one_that_works_for_too_long_is_ended_by_the_system() -> None:
    status, said = told(("a.html", b"<p>x</p>" * 2_000_000), cpu_seconds=0)
    assert (-24, []) == (status, said)


@pytest.mark.parametrize("cut", [1, 10])
def test_what_is_cut_is_no_document(cut: int) -> None:
    status, said = told(("a.txt", b"more"), cut=cut)
    assert 1 == status
    assert [] == said
