from ailb.store.documents_rows import COMING, GONE, SHARED, Collection, dumped, version


def test_metadata_is_text_where_there_is_any() -> None:
    assert (None, '{"a":"ü"}') == (dumped({}), dumped({"a": "ü"}))


def test_marks_are_such_as_no_users_name_and_no_documents_id_has() -> None:
    assert not GONE.isprintable()
    assert not COMING.isprintable()
    assert SHARED == ""


def test_who_owns_a_collection_that_is_shared() -> None:
    assert (True, False) == (Collection("c", SHARED, "n", 0).shared, Collection("c", "ann", "n", 0).shared)


def test_a_versions_digits_are_as_many_for_every_time() -> None:
    assert {17} == {version("x", number).index("x") for number in (0, 1, 1_795_619_614_000_000)}
