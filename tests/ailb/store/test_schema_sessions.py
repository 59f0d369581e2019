from ailb.store.schema_sessions import SESSIONS, TURNS


def test_a_turn_is_one_of_its_session_once() -> None:
    once = next(constraint for constraint in TURNS.constraints if constraint.name == "turns_once")
    assert [*(column.name for column in SESSIONS.primary_key), "number"] == [column.name for column in once.columns]
