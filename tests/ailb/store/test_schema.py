from sqlalchemy import Float, Numeric

from ailb.store.schema import METADATA


def test_no_column_is_a_float() -> None:
    columns = [column for table in METADATA.tables.values() for column in table.columns]
    assert columns
    assert [str(column) for column in columns if isinstance(column.type, Float | Numeric)] == []


def test_every_table_has_a_primary_key() -> None:
    assert [name for name, table in METADATA.tables.items() if not list(table.primary_key)] == []
