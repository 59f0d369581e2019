from typing import Any

import pytest

from ailb.admin.bodies import checked
from ailb.admin.rag_bodies import NewChunks, NewCollection, NewDocuments, Search, asked_id, asked_name, id_of, name_of
from ailb.errors import BadRequest

HASH = "0f" * 32


@pytest.mark.parametrize("name", ["docs", "a", "2026.q1_final-v2", "Straße", "文档", "x" * 128])
def test_names_that_are_good(name: str) -> None:
    assert name == name_of(name) == asked_name(name)


@pytest.mark.parametrize("name", ["", " docs", "a b", "a/b", "../x", ".hidden", "-x", "_x", "x" * 129, "a\0", "a\n", "$ne", "*", "a'"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadRequest, match="name: must be"):
        asked_name(name)


def test_one_name_is_written_in_one_way() -> None:
    assert name_of("Cafe\u0301") == name_of("Caf\u00e9")
    assert id_of("e\u0301.md") == id_of("\u00e9.md")


@pytest.mark.parametrize("id", ["a", "docs/guide/a b.md", "https://host/x?y=1", "x" * 200])
def test_ids_that_are_good(id: str) -> None:
    assert id == asked_id(id)


@pytest.mark.parametrize("id", ["", " a", "a ", "/a", "a/", "a\x1f", "\x1fa", "a\0", "x" * 201])
def test_ids_that_are_none(id: str) -> None:
    with pytest.raises(BadRequest, match="id: must be"):
        asked_id(id)


CHUNK = {"text": "x"}


@pytest.mark.parametrize(
    ("shape", "body", "member"),
    [
        (NewCollection, {}, "name"),
        (NewCollection, {"name": "a", "owner": "bob"}, "owner"),
        (NewCollection, {"name": "a", "shared": 1}, "shared"),
        (NewCollection, {"name": "a", "metadata": {"x": "y" * 20_000}}, "metadata"),
        (NewCollection, {"name": "a", "metadata": {"x": "a\0"}}, "metadata"),
        (NewCollection, {"name": {"$ne": ""}}, "name"),
        (NewDocuments, {"documents": []}, "documents"),
        (NewDocuments, {"documents": [{"text": " \n"}]}, "documents[0].text"),
        (NewDocuments, {"documents": [{"text": "x", "id": ""}]}, "documents[0].id"),
        (NewDocuments, {"documents": [{"text": "x"}] * 101}, "documents"),
        (NewDocuments, {"documents": [{"text": "x", "where": {}}]}, "documents[0].where"),
        (NewChunks, {"chunks": [CHUNK]}, "hash"),
        (NewChunks, {"hash": "xyz", "chunks": [CHUNK]}, "hash"),
        (NewChunks, {"hash": 5, "chunks": [CHUNK]}, "hash"),
        (NewChunks, {"hash": HASH, "chunks": []}, "chunks"),
        (NewChunks, {"hash": HASH, "chunks": [CHUNK] * 257}, "chunks"),
        (NewChunks, {"hash": HASH, "chunks": [{"text": "x" * 20_001}]}, "chunks[0].text"),
        (NewChunks, {"hash": HASH, "chunks": [{"text": "x", "vector": []}]}, "chunks[0].vector"),
        (NewChunks, {"hash": HASH, "chunks": [{"text": "x", "vector": ["1"]}]}, "chunks[0].vector[0]"),
        (NewChunks, {"hash": HASH, "chunks": [{"text": "x", "vector": [float("nan")]}]}, "chunks[0].vector[0]"),
        (NewChunks, {"hash": HASH, "chunks": [{"text": "x", "vector": [1.0] * 4097}]}, "chunks[0].vector"),
        (NewChunks, {"hash": HASH, "chunks": [CHUNK], "first": -1}, "first"),
        (Search, {"query": ""}, "query"),
        (Search, {"query": {"$or": []}}, "query"),
        (Search, {"query": "x", "top_k": 0}, "top_k"),
        (Search, {"query": "x", "top_k": 51}, "top_k"),
        (Search, {"query": "x", "where": {}}, "where"),
        (Search, {"query": "x", "user_id": "bob"}, "user_id"),
        (Search, {"query": "x", "filter": None}, "filter"),
    ],
)
def test_a_body_that_is_not_good_is_refused_by_its_member(shape: Any, body: dict[str, Any], member: str) -> None:
    with pytest.raises(BadRequest) as caught:
        checked(body, shape)
    assert member == caught.value.param


def test_what_no_database_takes_is_taken_out() -> None:
    made = checked({"hash": HASH, "title": "a\0b", "chunks": [{"text": "c\0d", "heading": "e\0"}]}, NewChunks)
    assert ("a b", "c d", "e ") == (made.title, made.chunks[0].text, made.chunks[0].heading)
    assert bytes.fromhex(HASH) == made.hash
