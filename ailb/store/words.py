"""Lexical indexes: which rows have the words of a question in them, and how well. SQLite's FTS5, or PostgreSQL's text search.

Every row is in a space, which says whose it is, and every question names the space: there is no way to ask over all of them. In SQLite
each word begins with its space: FTS5 would look for rows that have the word and are in the space by going through all rows of both.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, Literal

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb import rarity, words
from ailb.store.database import Database

Index = Literal["turns_words", "chunks_words"]

CANDIDATES: Final = 50
"""Rows whose words are counted, where fewer are asked for: those whose words weigh most together. Of 200, XQuAD finds no more."""

MOST_READ: Final = 8000
"""Characters of a row in which words are counted."""

_WHOLE_SQLITE: Final = "SELECT -1, coalesce(sum(rows), 0) FROM {index}_spaces WHERE space = :space"
_COUNT_SQLITE: Final = "SELECT {at}, count(*) FROM {index}_index WHERE {index}_index MATCH :query{at}"
_HAVE_SQLITE: Final = "SELECT rowid AS id, :term{at} AS term, :weight{at} AS weight FROM {index}_index WHERE {index}_index MATCH :query{at}"
_FIND_SQLITE: Final = """
    SELECT id, terms, substr(words, 1, :read) AS words FROM (
        SELECT id, group_concat(term, ' ') AS terms FROM ({have}) GROUP BY id ORDER BY sum(weight) DESC, id LIMIT :most
    ) CROSS JOIN {index} USING (id)
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
        if values:
            taken = ":words" if self._database.is_sqlite else "to_tsvector('english', :words)"
            await connection.execute(text(f"INSERT INTO {self._index} (id, space, words) VALUES (:id, :space, {taken})"), values)  # noqa: S608

    async def remove(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        if ids:
            statement = text(f"DELETE FROM {self._index} WHERE id IN :ids")  # noqa: S608 - one of two names
            await connection.execute(statement.bindparams(bindparam("ids", expanding=True)), {"ids": list(ids)})

    async def find(self, space: str, question: str, most: int) -> list[tuple[int, float]]:
        """Ids and scores, best first. Scores of different spaces say nothing to each other."""
        terms = words.asked(question)
        if not terms:
            return []
        find = self._find_sqlite if self._database.is_sqlite else self._find_postgres
        return await self._database.look(lambda connection: find(connection, space, terms, most))

    async def _find_sqlite(self, connection: AsyncConnection, space: str, terms: list[str], most: int) -> list[tuple[int, float]]:
        """FTS5 tells which rows have which words; its own rank counts over all spaces."""
        weights = rarity.weights(*await self._counted(connection, space, terms))
        if not weights:
            return []
        have = " UNION ALL ".join(_HAVE_SQLITE.format(index=self._index, at=at) for at in range(len(weights)))
        asked: dict[str, Any] = {"most": max(most, CANDIDATES), "read": MOST_READ}
        for at, (term, weight) in enumerate(weights.items()):
            asked |= {f"term{at}": term, f"weight{at}": weight, f"query{at}": _query(space, term)}
        rows: Any = await connection.exec_driver_sql(_FIND_SQLITE.format(index=self._index, have=have), asked)
        return rarity.ranked([(row[0], row[1].split(" "), row[2]) for row in rows], weights, most)

    async def _counted(self, connection: AsyncConnection, space: str, terms: list[str]) -> tuple[dict[str, int], int]:
        """How many rows have each of the terms, and how many there are."""
        statement = " UNION ALL ".join(_COUNT_SQLITE.format(index=self._index, at=at) for at in range(len(terms)))
        asked = {"space": space} | {f"query{at}": _query(space, term) for at, term in enumerate(terms)}
        rows: Any = await connection.exec_driver_sql(f"{_WHOLE_SQLITE.format(index=self._index)} UNION ALL {statement}", asked)
        counted = {row[0]: int(row[1]) for row in rows}
        return {term: counted[at] for at, term in enumerate(terms)}, counted[-1]

    async def _find_postgres(self, connection: AsyncConnection, space: str, terms: list[str], most: int) -> list[tuple[int, float]]:
        """PostgreSQL's own rank looks at one row only: how often a word is there. How rare it is in the space comes from here."""
        counted = list(await connection.execute(text(_COUNT_POSTGRES.format(index=self._index)), {"terms": terms, "space": space}))
        weights = rarity.weights({row.term: int(row.rows) for row in counted}, max((int(row.whole) for row in counted), default=0))
        if not weights:
            return []
        either = " | ".join(f"'{term}'" for term in weights)
        asked = {"terms": list(weights), "weights": list(weights.values()), "even": rarity.EVEN}
        asked |= {"space": space, "query": either, "most": most}
        found = await connection.execute(text(_FIND_POSTGRES.format(index=self._index)), asked)
        return [(int(row.id), float(row.score or 0.0)) for row in found]


def _query(space: str, term: str) -> str:
    """A name of several words (`max_tokens`) is a phrase of them."""
    return f'"{" ".join(space + word for word in term.split("_"))}"'


def space(*parts: str) -> str:
    """A name for whose words they are, made of digits only, which no index takes apart or shortens."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return str(int.from_bytes(blake2b(joined.encode(errors="surrogatepass"), digest_size=16).digest(), "big"))
