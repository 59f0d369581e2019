import pytest

from ailb.commands.caller import Caller
from ailb.errors import Unavailable
from tests.ailb.commands.test_explain_asked import gateway


def test_a_call_has_its_key_user_path_and_body() -> None:
    with gateway(b"{}", 201) as (address, seen):
        caller = Caller(f"http://{address}/in/front/", key="k", user="ann")
        assert (201, b"{}") == caller.call("POST", "/api/x", b"[]", {"content-type": "application/json"})
    assert [("/in/front/api/x", "Bearer k", "ann", "application/json", b"[]")] == seen


def test_who_names_nobody_sends_nothing_about_it() -> None:
    with gateway(b"{}", 200) as (address, seen):
        Caller(address).call("POST", "/x", b"")
    assert [("/x", None, None, None, b"")] == seen


def test_who_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 does not answer"):
        Caller("127.0.0.1:1").call("GET", "/x")
