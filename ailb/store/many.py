"""Statements that are written all the time: compiled once, and given to the driver without SQLAlchemy looking at each row and value.

Values are what the drivers take: numbers, text, bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Insert, Select, TextClause, Update, UpdateBase
from sqlalchemy.ext.asyncio import AsyncConnection


class Many:
    """One statement for many rows. `names` are the parameters, at least two, in the order in which the rows have them."""

    def __init__(self, statement: Insert | Update | TextClause, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, Callable[[Sequence[Any]], Any]]] = {}

    async def execute(self, connection: AsyncConnection, rows: Sequence[Sequence[Any]]) -> None:
        """Nothing, where there are no rows."""
        if not rows:
            return
        sql, ordered = self._compiled.get(connection.dialect.name) or self._compile(connection)
        await connection.exec_driver_sql(sql, list(map(ordered, rows)))

    def _compile(self, connection: AsyncConnection) -> tuple[str, Callable[[Sequence[Any]], Any]]:
        columns = list(self._names) if isinstance(self._statement, Insert) else None
        compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=columns)
        made = str(compiled), itemgetter(*map(self._names.index, compiled.positiontup))
        self._compiled[connection.dialect.name] = made
        return made


class Listed:
    """One statement with lists for its parameters, in the order of `names`, each in one `IN`.

    A list is made as long as the next power of two, by its last value again, so that there are few statements to compile and to keep.
    """

    def __init__(self, statement: Select[Any] | UpdateBase, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[tuple[object, ...], str] = {}

    async def execute(self, connection: AsyncConnection, *lists: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows as the driver has them. No list may be empty."""
        padded = [_padded(values) for values in lists]
        sizes = (connection.dialect.name, *map(len, padded))
        sql = self._compiled.get(sizes)
        if sql is None:
            sql = self._compiled[sizes] = self._compile(connection, dict(zip(self._names, padded, strict=True)))
        found = await connection.exec_driver_sql(sql, tuple(chain.from_iterable(padded)))
        return found.fetchall()

    def _compile(self, connection: AsyncConnection, parameters: Mapping[str, Sequence[Any]]) -> str:
        compiled: Any = self._statement.compile(dialect=connection.dialect)
        expanded = compiled.construct_expanded_state(parameters)
        if list(expanded.positional_parameters) != list(chain.from_iterable(parameters.values())):
            raise ValueError("the names of the lists are not in the order of the statement")
        return str(expanded.statement)


def _padded(values: Sequence[Any]) -> list[Any]:
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (size - len(values))]
