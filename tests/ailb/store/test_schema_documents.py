from sqlalchemy import UniqueConstraint

from ailb.store.schema_documents import CHUNKS, COLLECTIONS, DOCUMENTS


def test_a_collections_name_is_its_owners() -> None:
    once = next(c for c in COLLECTIONS.constraints if isinstance(c, UniqueConstraint) and c.name == "collections_once")
    assert ["owner", "name"] == [column.name for column in once.columns]


def test_documents_and_chunks_are_in_a_collection() -> None:
    assert ["collection_id", "id"] == [column.name for column in DOCUMENTS.primary_key]
    assert not CHUNKS.c.collection_id.nullable
