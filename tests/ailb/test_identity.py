import pytest

from ailb.errors import InvalidKey
from ailb.identity import Identity, key_of
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
        ({"authorization": "Bearer a", "x-api-key": "b"}, "a"),
    ],
)
def test_the_key_that_a_client_sent(headers: dict[str, str], key: str) -> None:
    assert key == key_of(headers)


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
