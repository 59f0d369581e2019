"""Users' ids in all the ways that they can be written (FAULTS G5): one canonical form or a 400, and nobody sees another one's keys."""

import asyncio
import unicodedata
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ailb.admin.calling import Api, calling
from tests.ailb.store.clocks import SetClock

TROUBLE = (
    "aA\u0430\u00e9e\u0301\u212b\u00c5\u1100\u1161\uac00"
    "\u200b\u200d\u202e\u2066\u0000\n \u00a0,\ud800\U0001f600\U0001f468\ufe0f\u05d0\u0627\u034f'"
)
USERS = st.text(st.sampled_from(TROUBLE) | st.characters(), min_size=1, max_size=6)


def header(user: str) -> str:
    """As it is on the wire."""
    return user.encode("utf-8", "surrogatepass").decode("latin-1")


async def made(api: Api, user: str) -> str | None:
    """Whose the new key is; None: it was refused, by naming the field."""
    client = await api("POST", "/api/keys", {"name": "n\u00e4me \U0001f511", "user_id": user})
    if client.status == 400:
        return None
    assert client.status == 201, client.json
    owner: str = client.json["key_data"]["user_id"]
    return owner


async def seen(api: Api, user: str) -> set[str] | None:
    """The owners of all keys that the user sees; None: it was refused."""
    client = await api("GET", "/api/keys?limit=1000", user=header(user))
    if client.status == 400:
        return None
    assert client.status == 200, client.json
    return {key["user_id"] for key in client.json["keys"]}


async def sees_only_itself(api: Api, one: str, other: str) -> None:
    for user in (one, other):
        owner = await made(api, user)
        assert owner in (None, unicodedata.normalize("NFC", user))
    for user in (one, other):
        owners = await seen(api, user)
        canonical = unicodedata.normalize("NFC", user.strip())
        assert owners is None or canonical in ("", "anonymous") or owners <= {canonical}


def test_nobody_sees_the_keys_of_another_spelling(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        api = runner.run(stack.enter_async_context(calling(tmp_path, "local", SetClock())))

        @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
        @given(USERS, USERS)
        def check(one: str, other: str) -> None:
            runner.run(sees_only_itself(api, one, other))

        try:
            check()
        finally:
            runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("one", "other"),
    [("\u212bsa", "A\u030asa"), ("caf\u00e9", "cafe\u0301"), ("\uac00", "\u1100\u1161")],
)
async def test_two_ways_to_compose_it_are_one_user(tmp_path: Path, one: str, other: str) -> None:
    async with calling(tmp_path, "local", SetClock()) as api:
        owner = await made(api, one)
        assert owner == await made(api, other) == unicodedata.normalize("NFC", one)
        assert await seen(api, one) == await seen(api, other) == {owner}


@pytest.mark.parametrize(
    "user", ["a\u200b", "a\u202eb", "a\u0000", "a,b", " a", "a\n", "\U0001f468\u200d\U0001f469", "x" * 257, "x" * 200_000]
)
async def test_what_is_nobodys_name(tmp_path: Path, user: str) -> None:
    async with calling(tmp_path, "local", SetClock()) as api:
        assert await made(api, user) is None
