"""Lexical indexes: which rows have the words of a question in them, and how well. SQLite's FTS5, or PostgreSQL's text search.

Every row is in a space, which says whose it is, and every question names the space: there is no way to ask over all of them.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import log
from typing import Any, Final, Literal

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb import words
from ailb.store.database import Database

Index = Literal["turns_words", "chunks_words"]

COMMON: Final = 4
"""A word that more than one row in so many has says little, in whatever language, and takes long to look up. FTS5 itself cannot tell: it
counts over all spaces, in some of which the word is rare."""

FEW: Final = 20
"""Rows of which that cannot be said."""

_FIND_SQLITE: Final = """
    SELECT rowid AS id, -bm25({index}, 0.0, 1.0) AS score FROM {index}
    WHERE {index} MATCH :query ORDER BY bm25({index}, 0.0, 1.0) LIMIT :most
"""
_COUNT_SQLITE: Final = "SELECT :place{at} AS place, count(*) AS rows FROM {index} WHERE {index} MATCH :query{at}"
_COUNT_POSTGRES: Final = """
    SELECT term, count({index}.id) AS rows, (SELECT count(*) FROM {index} WHERE space = :space) AS whole
    FROM unnest(CAST(:terms AS text[])) AS term
    LEFT JOIN {index} ON space = :space AND words @@ plainto_tsquery('english', term) GROUP BY term
"""
_FIND_POSTGRES: Final = """
    SELECT id, (
        SELECT sum(weight * (1 + ln(1 + ts_rank(words, plainto_tsquery('english', term)))))
        FROM unnest(CAST(:terms AS text[]), CAST(:weights AS float8[])) AS asked(term, weight)
        WHERE words @@ plainto_tsquery('english', term)
    ) AS score
    FROM {index} WHERE space = :space AND words @@ to_tsquery('english', :query) ORDER BY score DESC NULLS LAST LIMIT :most
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
        """By the words that say something here, or the one that says most."""
        queries = [f'space : "{space}"', *(f'space : "{space}" AND words : "{term}"' for term in terms)]
        statement = " UNION ALL ".join(_COUNT_SQLITE.format(index=self._index, at=at) for at in range(len(queries)))
        values = {f"query{at}": query for at, query in enumerate(queries)} | {f"place{at}": at for at in range(len(queries))}
        rows = {row["place"]: int(row["rows"]) for row in await self._database.read(text(statement).bindparams(**values))}
        telling = _telling({term: rows[at] for at, term in enumerate(terms, 1)}, rows[0])
        if not telling:
            return []
        either = " OR ".join(f'"{term}"' for term in telling)
        return await self._rows(_FIND_SQLITE, query=f'space : "{space}" AND words : ({either})', most=most)

    async def _find_postgres(self, space: str, terms: list[str], most: int) -> list[tuple[int, float]]:
        """A word weighs by how rare it is in the space, as in BM25; PostgreSQL's own rank does not look at that."""
        counted = await self._database.read(text(_COUNT_POSTGRES.format(index=self._index)).bindparams(terms=terms, space=space))
        rows = {row["term"]: int(row["rows"]) for row in counted}
        known = _telling(rows, max((int(row["whole"]) for row in counted), default=0))
        if not known:
            return []
        least = max(rows.values())
        weights = [log(1 + least / rows[term]) for term in known]
        return await self._rows(
            _FIND_POSTGRES, terms=known, weights=weights, space=space, query=" | ".join(f"'{t}'" for t in known), most=most
        )

    async def _rows(self, statement: str, **values: Any) -> list[tuple[int, float]]:
        found = await self._database.read(text(statement.format(index=self._index)).bindparams(**values))
        return [(int(row["id"]), float(row["score"] or 0.0)) for row in found]


def _telling(rows: Mapping[str, int], all: int) -> list[str]:
    """Of words with how many rows have each, those to look for."""
    known = {term: count for term, count in rows.items() if count}
    few = [term for term, count in known.items() if count <= max(all / COMMON, FEW)]
    return few or ([min(known, key=known.__getitem__)] if known else [])


def space(*parts: str) -> str:
    """A name for whose words they are, made of digits only, which no index takes apart or shortens."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return str(int.from_bytes(blake2b(joined.encode(errors="surrogatepass"), digest_size=16).digest(), "big"))
