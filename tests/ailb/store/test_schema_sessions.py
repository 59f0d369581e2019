from sqlalchemy import UniqueConstraint

from ailb.store.schema_sessions import SESSIONS, TURNS


def test_a_turn_is_one_of_its_session_once() -> None:
    once = next(c for c in TURNS.constraints if isinstance(c, UniqueConstraint) and c.name == "turns_once")
    assert [*(column.name for column in SESSIONS.primary_key), "number"] == [column.name for column in once.columns]
