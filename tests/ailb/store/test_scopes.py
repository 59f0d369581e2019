import pytest

from ailb.store.scopes import Spender, clean, ids, scopes, spender
from tests.ailb.store.money import intent


@pytest.mark.parametrize(
    ("given", "kept"),
    [("plain", "plain"), ("x" * 20, "x" * 10), ("a\0b", "a?b"), ("\ud800", "?"), ("é" * 20, "é" * 10), ("", "")],
)
def test_what_a_database_cannot_keep_is_taken_out(given: str, kept: str) -> None:
    assert kept == clean(given, 10)


def test_everybody_who_pays_is_in_it_once() -> None:
    everybody = {("key", "k1"), ("user", "ann"), ("model", "m"), ("model", "alias"), ("provider", "p"), ("global", "")}
    found = scopes(spender("ann", "k1", "p", "m", "alias"))
    assert everybody == set(found)
    assert len(found) == len(everybody)
    assert {("user", "ann"), ("model", "m"), ("provider", "p"), ("global", "")} == set(scopes(spender("ann", None, "p", "m", "m")))


def test_who_spends_is_named_so_that_a_database_can_keep_it() -> None:
    assert Spender("a?", "k" * 40, "p" * 256, "?", "") == spender("a\0", "k" * 50, "p" * 300, "\ud800", "")


def test_the_ids_of_request_and_session_are_what_a_database_can_keep() -> None:
    assert ("r" * 128, "s?") == ids(intent(session_id="s\0")._replace(request_id="r" * 200))
    assert ("req_1", None) == ids(intent())
