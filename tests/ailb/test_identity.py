from ipaddress import ip_network

import pytest

from ailb.errors import BadRequest, InvalidKey
from ailb.identity import Identity, key_of, user_id, user_of
from ailb.secret import Secret


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer k"}, "k"),
        ({"authorization": "BEARER   k "}, "k"),
        ({"authorization": "Basic abc"}, ""),
        ({"authorization": "k"}, ""),
        ({"authorization": ""}, ""),
        ({"x-api-key": "k"}, "k"),
        ({"authorization": "Basic abc", "x-api-key": "k"}, "k"),
        ({"authorization": "Bearer a", "x-api-key": "a"}, "a"),
        ({"authorization": "Bearer ", "x-api-key": "b"}, "b"),
    ],
)
def test_the_key_that_a_client_sent(headers: dict[str, str], key: str) -> None:
    assert key == key_of(headers)


def test_two_keys_are_one_too_many() -> None:
    with pytest.raises(BadRequest, match="two different keys"):
        key_of({"authorization": "Bearer a", "x-api-key": "b"})


@pytest.mark.parametrize(
    ("given", "admin"),
    [("admin-key-of-some-length", True), ("admin-key-of-some-lengtH", False), ("", False), ("\xe9", False), ("日", False)],
)
def test_who_is_the_admin(given: str, admin: bool) -> None:
    assert admin == Identity(Secret("admin-key-of-some-length")).is_admin(given)


@pytest.mark.parametrize("given", ["", "anything"])
def test_without_an_admin_key_nobody_is_the_admin(given: str) -> None:
    assert not Identity().is_admin(given)


def test_an_identity_shows_no_key() -> None:
    assert "some-length" not in repr(Identity(Secret("admin-key-of-some-length")))


@pytest.mark.parametrize(
    ("required", "headers", "expected"),
    [
        (True, {"authorization": "Bearer " + "a" * 16}, True),
        (True, {"authorization": "bearer " + "a" * 16}, True),
        (True, {"x-api-key": "a" * 16}, True),
        (True, {"authorization": "Bearer wrong"}, None),
        (True, {}, None),
        (False, {"authorization": "Bearer wrong"}, None),
        (False, {}, False),
    ],
)
def test_who_is_admitted_with_an_admin_key(required: bool, headers: dict[str, str], expected: bool | None) -> None:
    identity = Identity(Secret("a" * 16), required)
    if expected is None:
        with pytest.raises(InvalidKey, match="Invalid API key"):
            identity.admits(headers)
    else:
        assert expected is identity.admits(headers)


def test_everybody_is_admitted_without_one() -> None:
    assert Identity().admits({}) is True


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ("", None),
        ("  ", None),
        (" ann ", "ann"),
        ("ann@example.com", "ann@example.com"),
        ("Ann Lee", "Ann Lee"),
        ("日本", "日本"),
        ("e\u0301", "\u00e9"),
        ("a" * 256, "a" * 256),
    ],
)
def test_the_user_that_a_header_names(given: str, user: str | None) -> None:
    assert user == user_of({"x-user-id": given.encode().decode("latin-1")})


@pytest.mark.parametrize("given", ["a" * 257, "a,b", "a\tb", "a\x00b", "\u200bann", "a\u202eb", "\u2028"])
def test_what_no_user_can_be_called(given: str) -> None:
    with pytest.raises(BadRequest) as caught:
        user_of({"x-user-id": given.encode().decode("latin-1")})
    assert "X-User-ID" == caught.value.param


def test_a_user_that_is_not_utf_8() -> None:
    with pytest.raises(BadRequest, match="UTF-8"):
        user_of({"x-user-id": "\xff"})


@pytest.mark.parametrize("given", ["", " ann", "ann "])
def test_a_body_has_to_name_a_user_to_the_letter(given: str) -> None:
    with pytest.raises(BadRequest, match="user_id"):
        user_id(given, "user_id")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2,10.0.0.3", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, ", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "unknown"),
        ("", "198.51.100.1", ""),
    ],
)
def test_where_a_request_comes_from(peer: str, forwarded: str, address: str) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert address == Identity(proxies=(ip_network("10.0.0.0/8"),)).address(peer, headers)
    assert peer == Identity().address(peer, headers)


@pytest.mark.parametrize(("given", "local", "keyed"), [("", False, False), ("sk-other", False, True), ("sk-ailb_x", True, True)])
def test_which_keys_matter(given: str, local: bool, keyed: bool) -> None:
    assert (local, keyed) == (Identity().judges(given), Identity(Secret("a" * 16)).judges(given))
