"""SQLite's lexical indexes begin each word with whose it is: a question goes through the rows of its own space only."""

from alembic import op

revision = "0004"
down_revision = "0003"

# A table as PostgreSQL's, and behind it, kept by triggers, the index and how many rows each space has. In the index are words, and words of
# names such as `max_tokens`. Spaces are of digits only, which no stemmer takes for a part of the word.
_STATEMENTS = (
    "CREATE TABLE {name}_new (id INTEGER PRIMARY KEY, space VARCHAR(64) NOT NULL, words TEXT NOT NULL)",
    "INSERT INTO {name}_new SELECT rowid, space, words FROM {name}",
    "DROP TABLE {name}",
    "ALTER TABLE {name}_new RENAME TO {name}",
    """
    CREATE VIRTUAL TABLE {name}_index
    USING fts5(words, content = '', columnsize = 0, tokenize = 'porter unicode61 remove_diacritics 2')
    """,
    "CREATE TABLE {name}_spaces (space VARCHAR(64) PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID",
    """
    INSERT INTO {name}_index (rowid, words)
    SELECT id, space || replace(replace(words, '_', ' '), ' ', ' ' || space) FROM {name} ORDER BY id
    """,
    "INSERT INTO {name}_spaces SELECT space, count(*) FROM {name} GROUP BY space",
    """
    CREATE TRIGGER {name}_added AFTER INSERT ON {name} BEGIN
        INSERT INTO {name}_index (rowid, words)
        VALUES (new.id, new.space || replace(replace(new.words, '_', ' '), ' ', ' ' || new.space));
        INSERT INTO {name}_spaces VALUES (new.space, 1) ON CONFLICT (space) DO UPDATE SET rows = rows + 1;
    END
    """,
    """
    CREATE TRIGGER {name}_removed AFTER DELETE ON {name} BEGIN
        INSERT INTO {name}_index ({name}_index, rowid, words)
        VALUES ('delete', old.id, old.space || replace(replace(old.words, '_', ' '), ' ', ' ' || old.space));
        UPDATE {name}_spaces SET rows = rows - 1 WHERE space = old.space;
        DELETE FROM {name}_spaces WHERE space = old.space AND rows = 0;
    END
    """,
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("turns_words", "chunks_words"):
            for statement in _STATEMENTS:
                op.execute(statement.format(name=name))
