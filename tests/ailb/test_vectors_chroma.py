"""Chroma itself, in a folder and as a server, behind the process that talks to it."""

import socket
import subprocess
import sys
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from ailb.vectors_apart import Apart

chroma = pytest.importorskip("chromadb", reason="Chroma is not installed: ailb[rag]")
pytestmark = pytest.mark.timeout(120)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """`chroma run` on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        deadline = monotonic() + 60
        while monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                sleep(0.05)  # There is nothing to wait on until the port is open.
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["folder", "server"])
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Apart]:
    if request.param == "folder":
        async with Apart({"folder": str(tmp_path / "chroma")}, query_seconds=20.0) as made:
            yield made
        return
    tmp_path.joinpath("server").mkdir()
    with served(tmp_path / "server") as (url, _):
        async with Apart({"url": url, "token": "t"}, query_seconds=20.0) as made:
            yield made


async def test_what_was_added_is_found_by_its_cosine_until_it_is_deleted(vectors: Apart) -> None:
    assert [] == await vectors.query("col-1", [1.0, 0.0], 5)
    await vectors.add("col-1", [1, 2, 3], [[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    await vectors.add("col-2", [9], [[1.0, 0.0]])
    found = await vectors.query("col-1", [2.0, 0.0], 5)
    assert [1, 3, 2] == [id for id, _ in found]
    assert [1.0, 0.7071, 0.0] == pytest.approx([score for _, score in found], abs=1e-3)
    await vectors.add("col-1", [1], [[0.0, -1.0]])
    await vectors.delete("col-1", [3])
    assert [2, 1] == [id for id, _ in await vectors.query("col-1", [0.1, 1.0], 5)]
    await vectors.drop("col-1")
    await vectors.drop("col-1")
    await vectors.delete("col-1", [1])
    assert [[], [9]] == [[id for id, _ in await vectors.query(name, [1.0, 0.0], 5)] for name in ("col-1", "col-2")]


async def test_it_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    where = {"folder": str(tmp_path / "chroma")}
    async with Apart(where, query_seconds=20.0) as vectors:
        await vectors.add("col-1", list(range(100)), [[1.0, float(number)] for number in range(100)])
    async with Apart(where, query_seconds=20.0) as vectors:
        assert [0, 1, 2] == [id for id, _ in await vectors.query("col-1", [1.0, 0.0], 3)]


class Odd:
    """A client whose only collection has somebody's bad vectors in it."""

    def get_collection(self, name: str, embedding_function: None) -> "Odd":
        return self

    def query(self, **asked: Any) -> dict[str, Any]:
        return {"ids": [["1", "2", "3"]], "distances": [[float("nan"), 0.25, float("inf")]]}


def test_a_neighbour_at_no_distance_is_none() -> None:
    from ailb.vectors_chroma import Chroma

    assert [(2, 0.75)] == Chroma(Odd())({"do": "query", "collection": "c", "most": 3}, array("f", [1.0]))


async def test_what_another_process_has_dropped_and_made_anew_is_found(tmp_path: Path) -> None:
    """Both talk to one server, and the first one knows the collection that is gone."""
    with served(tmp_path) as (url, _):
        where = {"url": url, "token": ""}
        async with Apart(where, query_seconds=20.0) as one, Apart(where, query_seconds=20.0) as other:
            await one.add("col-1", [1], [[1.0, 0.0]])
            assert [1] == [id for id, _ in await other.query("col-1", [1.0, 0.0], 5)]
            await one.drop("col-1")
            assert [] == await other.query("col-1", [1.0, 0.0], 5)
            await one.add("col-1", [2], [[1.0, 0.0, 0.0]])
            assert [2] == [id for id, _ in await other.query("col-1", [1.0, 0.0, 0.0], 5)]
            await one.drop("col-1")
            await other.add("col-1", [3], [[1.0, 0.0]])
            await other.delete("col-1", [9])
            assert [3] == [id for id, _ in await one.query("col-1", [1.0, 0.0], 5)]
