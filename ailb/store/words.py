"""Lexical indexes: which rows have the words of a question in them, and how well. SQLite's FTS5, or PostgreSQL's text search.

Every row is in a space, which says whose it is, and every question names the space: there is no way to ask over all of them.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, Literal

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb import rarity, words
from ailb.store.database import Database
from ailb.store.given import given

Index = Literal["turns_words", "chunks_words"]

CANDIDATES: Final = 50
"""Rows whose words are counted, where fewer are asked for: those whose words weigh most together. Of 200, XQuAD finds no more."""

MOST_READ: Final = 8000
"""Characters of a row in which words are counted."""

_COUNT_SQLITE: Final = "SELECT :place{at} AS place, count(*) AS rows FROM {index} WHERE {index} MATCH :query{at}"
_HAVE_SQLITE: Final = "SELECT rowid AS id, :term{at} AS term, :weight{at} AS weight FROM {index} WHERE {index} MATCH :query{at}"
_FIND_SQLITE: Final = """
    SELECT id, terms, substr(words, 1, :read) AS words FROM (
        SELECT id, group_concat(term, ' ') AS terms FROM ({have}) GROUP BY id ORDER BY sum(weight) DESC, id LIMIT :most
    ) CROSS JOIN {index} ON {index}.rowid = id
"""
_COUNT_POSTGRES: Final = """
    SELECT term, count({index}.id) AS rows, (SELECT count(*) FROM {index} WHERE space = :space) AS whole
    FROM unnest(CAST(:terms AS text[])) AS term
    LEFT JOIN {index} ON space = :space AND words @@ plainto_tsquery('english', term) GROUP BY term
"""
_FIND_POSTGRES: Final = """
    WITH asked AS MATERIALIZED (
        SELECT plainto_tsquery('english', term) AS term, weight
        FROM unnest(CAST(:terms AS text[]), CAST(:weights AS float8[])) AS given(term, weight)
    )
    SELECT id, (SELECT sum(weight * ts_rank(words, term)) FROM asked WHERE words @@ term) / (:even + ln(1 + length(words))) AS score
    FROM {index} WHERE space = :space AND words @@ to_tsquery('english', :query) ORDER BY score DESC NULLS LAST, id LIMIT :most
"""


class Words:
    """One of the indexes. `add` and `remove` belong into a transaction that writes what the rows are about."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index

    async def add(self, connection: AsyncConnection, space: str, rows: Sequence[tuple[int, str]]) -> None:
        """`rows` are ids, each with its text."""
        values = [{"id": id, "space": space, "words": words.indexed(text)} for id, text in rows]
        if not values:
            return
        if self._database.is_sqlite:
            statement = f"INSERT INTO {self._index} (rowid, space, words) VALUES (:id, :space, :words)"  # noqa: S608 - one of two names
        else:
            statement = f"INSERT INTO {self._index} (id, space, words) VALUES (:id, :space, to_tsvector('english', :words))"  # noqa: S608
        await connection.execute(text(statement), values)

    async def remove(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        row = "rowid" if self._database.is_sqlite else "id"
        if ids:
            statement = text(f"DELETE FROM {self._index} WHERE {row} IN :ids")  # noqa: S608 - one of two names
            await connection.execute(statement.bindparams(bindparam("ids", expanding=True)), {"ids": list(ids)})

    async def find(self, space: str, question: str, most: int) -> list[tuple[int, float]]:
        """Ids and scores, best first. Scores of different spaces say nothing to each other."""
        terms = words.asked(question)
        if not terms:
            return []
        if self._database.is_sqlite:
            return await self._find_sqlite(space, terms, most)
        return await self._find_postgres(space, terms, most)

    async def _find_sqlite(self, space: str, terms: list[str], most: int) -> list[tuple[int, float]]:
        """FTS5 tells which rows have which words; its own rank counts over all spaces."""
        queries = [f'space : "{space}"', *(_query(space, term) for term in terms)]
        statement = " UNION ALL ".join(_COUNT_SQLITE.format(index=self._index, at=at) for at in range(len(queries)))
        values = {f"query{at}": query for at, query in enumerate(queries)} | {f"place{at}": at for at in range(len(queries))}
        counted = {row["place"]: int(row["rows"]) for row in await self._database.read(given(text(statement), **values))}
        weights = rarity.weights({term: counted[at] for at, term in enumerate(terms, 1)}, counted[0])
        if not weights:
            return []
        have = " UNION ALL ".join(_HAVE_SQLITE.format(index=self._index, at=at) for at in range(len(weights)))
        asked: dict[str, Any] = {"most": max(most, CANDIDATES), "read": MOST_READ}
        for at, (term, weight) in enumerate(weights.items()):
            asked |= {f"term{at}": term, f"weight{at}": weight, f"query{at}": _query(space, term)}
        rows = await self._database.read(given(text(_FIND_SQLITE.format(index=self._index, have=have)), **asked))
        return rarity.ranked([(int(row["id"]), row["terms"].split(" "), row["words"]) for row in rows], weights, most)

    async def _find_postgres(self, space: str, terms: list[str], most: int) -> list[tuple[int, float]]:
        """PostgreSQL's own rank looks at one row only: how often a word is there. How rare it is in the space comes from here."""
        counted = await self._database.read(given(text(_COUNT_POSTGRES.format(index=self._index)), terms=terms, space=space))
        rows = {row["term"]: int(row["rows"]) for row in counted}
        weights = rarity.weights(rows, max((int(row["whole"]) for row in counted), default=0))
        if not weights:
            return []
        either = " | ".join(f"'{term}'" for term in weights)
        asked = {"terms": list(weights), "weights": list(weights.values()), "even": rarity.EVEN}
        statement = given(text(_FIND_POSTGRES.format(index=self._index)), **asked, space=space, query=either, most=most)
        found = await self._database.read(statement)
        return [(int(row["id"]), float(row["score"] or 0.0)) for row in found]


def _query(space: str, term: str) -> str:
    return f'space : "{space}" AND words : "{term}"'


def space(*parts: str) -> str:
    """A name for whose words they are, made of digits only, which no index takes apart or shortens."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return str(int.from_bytes(blake2b(joined.encode(errors="surrogatepass"), digest_size=16).digest(), "big"))
