from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.clock import Clock
from ailb.config import parse
from ailb.embed_none import NoEmbedder
from ailb.errors import ConfigError
from ailb.library import Library, library
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.vectors import NoVectors
from ailb.vectors_apart import Apart
from tests.ailb.nearby import Bag, MemoryVectors

LAYERS: list[dict[str, Any]] = [{"use": "routing"}]


def made(folder: Path, layer: list[dict[str, Any]] = LAYERS, **tables: Any) -> Library:
    config = parse({"layer": layer, "provider": [{"name": "echo"}], **tables}, {})
    return library(config, Database(Secret(f"sqlite+aiosqlite:///{folder}/ailb.db"), Clock()))


def test_vectors_are_in_a_folder_or_on_a_server(tmp_path: Path) -> None:
    pytest.importorskip("chromadb", reason="Chroma is not installed: ailb[rag]")
    here, there = made(tmp_path, vectors={"url": str(tmp_path)}), made(tmp_path, vectors={"url": "http://chroma:8000", "token": "t"})
    assert isinstance(here.vectors, Apart)
    assert isinstance(there.vectors, Apart)
    assert {"folder": str(tmp_path)} == here.vectors._where
    assert {"url": "http://chroma:8000", "token": "t"} == there.vectors._where
    assert ("bag-1", "") == (here.embedder(Bag()), here.embedder(NoEmbedder()))


def test_without_an_embedder_there_are_no_vectors(tmp_path: Path) -> None:
    none = made(tmp_path, embed={"embedder": "none"})
    assert isinstance(none.vectors, NoVectors)
    assert "" == none.embedder(Bag())


@pytest.mark.parametrize("tables", [{"vectors": {"url": "./chroma"}}, {"layer": [{"use": "rag"}, *LAYERS]}])
def test_several_workers_cannot_share_a_folder_and_are_told_what_to_set(tmp_path: Path, tables: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="http://host:port") as caught:
        made(tmp_path, **tables, server={"workers": 2})
    assert "[vectors].url" == caught.value.where
    assert isinstance(made(tmp_path, **tables, server={"workers": 2}, embed={"embedder": "none"}).vectors, NoVectors)


async def test_several_workers_that_did_not_ask_for_documents_have_them_by_words_and_say_so(tmp_path: Path) -> None:
    several = made(tmp_path, server={"workers": 2})
    assert isinstance(several.vectors, NoVectors)
    with capture_logs() as logs:
        async with several:
            pass
    assert ["documents are found by their words only"] == [line["event"] for line in logs if "reason" in line]


def test_several_workers_share_a_server(tmp_path: Path) -> None:
    pytest.importorskip("chromadb", reason="Chroma is not installed: ailb[rag]")
    assert isinstance(made(tmp_path, vectors={"url": "https://chroma"}, server={"workers": 2}).vectors, Apart)


def test_a_token_is_for_a_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder has no token"):
        made(tmp_path, vectors={"token": "t"})


async def test_a_text_becomes_pieces_with_vectors_of_whoever_embeds(tmp_path: Path) -> None:
    pytest.importorskip("semantic_text_splitter", reason="cutting needs ailb[rag]")
    database = Database(Secret(f"sqlite+aiosqlite:///{tmp_path}/ailb.db"), Clock())
    embedder = Bag()
    async with database:
        await database.prepare()
        async with Library(database, MemoryVectors()) as shelves:
            parts = [part async for part in shelves.pieces("a.md", b"# Title\n\nThe text.", "", embedder, "ann")]
            plain = [part async for part in shelves.pieces("a.txt", b"The text.", "", None, "ann")]
    ((title, (piece,), last),) = parts
    assert ("Title", "Title", True, ["ann"]) == (title, piece.heading, last, embedder.users)
    assert 64 == len(piece.vector or ())
    assert [None] == [piece.vector for _, pieces, _ in plain for piece in pieces]
