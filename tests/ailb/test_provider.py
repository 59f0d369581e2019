import pytest

from ailb.provider import Settings, is_public
from ailb.secret import HIDDEN, Secret, scrub

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["8.8.8.8", "104.18.7.192", "2606:4700::6812:7c0", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2a00:1450::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_not_on_the_public_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_on_the_public_internet(address: str) -> None:
    assert is_public(address)


def test_settings_show_no_secret() -> None:
    settings = Settings("p", "https://api.example", api_keys=(Secret("hunter2"),), headers={"x": Secret("hunter3")})
    assert "hunter" not in repr(settings)


TOLD = Settings(
    "p",
    "https://inner.example:8443/key-abcdefgh/v1",
    api_keys=(Secret("hush-key-one"), Secret("short")),
    headers={"x-team": Secret(" the blue team "), "authorization": Secret("Basic aHVzaDpodXNo"), "x-n": Secret("seven77")},
    query={"code": "a b/c+d=?%", "v": "1"},
)


@pytest.mark.parametrize(
    "quoted",
    [
        "hush-key-one",
        "the blue team",
        "Basic aHVzaDpodXNo",
        "aHVzaDpodXNo",
        "a b/c+d=?%",
        "a+b/c%2Bd%3D?%25",
        "a%20b%2Fc%2Bd%3D%3F%25",
        "https://inner.example:8443/key-abcdefgh/v1",
        "https://inner.example:8443",
        scrub("https://inner.example:8443/key-abcdefgh/v1"),
    ],
)
def test_what_a_provider_is_told_is_a_secret_however_it_is_quoted(quoted: str) -> None:
    assert f"<{HIDDEN}>" == scrub(f"<{quoted}>", *TOLD.secrets)


def test_of_what_is_longer_no_end_is_left() -> None:
    settings = Settings("p", "http://a/v1", headers={"a": Secret("hush-hush"), "b": Secret("hush-hush-hush")})
    assert HIDDEN == scrub("hush-hush-hush", *settings.secrets)


def test_what_is_short_is_no_secret() -> None:
    assert {"short", "seven77", "1"}.isdisjoint(secret.reveal() for secret in TOLD.secrets)


@pytest.mark.parametrize("version", ["2024-10-21", "2025-04-01-preview"])
def test_the_version_of_an_api_is_no_secret(version: str) -> None:
    settings = Settings("p", "https://api.example", headers={"x-version": Secret(version)}, query={"api-version": version})
    assert f"no such version: {version}" == scrub(f"no such version: {version}", *settings.secrets)
