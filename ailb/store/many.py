"""One statement for many rows: compiled once, and the rows go to the driver as they are, without SQLAlchemy looking at each."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Insert, Update
from sqlalchemy.ext.asyncio import AsyncConnection


class Many:
    """`names` are the parameters, in the order in which the rows have them. Values are what the drivers take: numbers, text, bytes."""

    def __init__(self, statement: Insert | Update, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, list[int]]] = {}

    async def execute(self, connection: AsyncConnection, rows: Sequence[Sequence[Any]]) -> None:
        """Nothing, where there are no rows."""
        if not rows:
            return
        sql, order = self._compiled.get(connection.dialect.name) or self._compile(connection)
        await connection.exec_driver_sql(sql, [tuple([row[place] for place in order]) for row in rows])

    def _compile(self, connection: AsyncConnection) -> tuple[str, list[int]]:
        columns = list(self._names) if isinstance(self._statement, Insert) else None
        compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=columns)
        made = str(compiled), [self._names.index(name) for name in compiled.positiontup]
        self._compiled[connection.dialect.name] = made
        return made
