from collections import Counter
from ipaddress import ip_network
from typing import Any

import pytest

from ailb.errors import BadRequest, Forbidden, InvalidKey, Unavailable
from ailb.identity import Identity
from ailb.keys import NO_KEYS, Key, Keys
from ailb.models import Models
from ailb.secret import Secret
from ailb.testing import StillClock, answers, ask, run
from middleware.auth import Auth

ADMIN = "admin-key-of-some-length"
LOCAL, KEYED, OPEN = Identity(), Identity(Secret(ADMIN)), Identity(Secret(ADMIN), required=False)
MODES = [LOCAL, KEYED, OPEN]
BEARER, BAD = {"authorization": f"Bearer {ADMIN}"}, {"authorization": "Bearer sk-other"}
USER = {"x-user-id": "ann"}
GOOD = "sk-ailb_" + "g" * 43
VIRTUAL = {"authorization": f"Bearer {GOOD}"}
WRONG = {"authorization": "Bearer sk-ailb_" + "w" * 43}


class Ring:
    """A few keys, by secret."""

    def __init__(self, **limits: Any) -> None:
        self.keys = {GOOD: Key("key-1", "bob", **limits)}

    async def find(self, secret: str) -> Key | None:
        return self.keys.get(secret)


class Lost:
    async def find(self, secret: str) -> Key | None:
        raise Unavailable("the store is not available")


def auth(identity: Identity, keys: Keys | None = None, default: str = "") -> Auth:
    models = Models({"fake": ("*",)})
    models.default = default
    return Auth(identity, models, StillClock(), keys or Ring())


@pytest.mark.parametrize(
    ("identity", "headers", "user"),
    [
        (LOCAL, {}, "anonymous"),
        (LOCAL, USER, "ann"),
        (LOCAL, {"x-user-id": ""}, "anonymous"),
        (LOCAL, BAD, "anonymous"),
        (LOCAL, {"authorization": "Bearer none", **USER}, "ann"),
        (LOCAL, {"x-api-key": "sk-ant-123"}, "anonymous"),
        (KEYED, BEARER, "anonymous"),
        (KEYED, {**BEARER, **USER}, "ann"),
        (KEYED, {"x-api-key": ADMIN}, "anonymous"),
        (KEYED, {"authorization": f"bearer {ADMIN}"}, "anonymous"),
        (OPEN, {}, "anonymous"),
        (OPEN, USER, "anonymous"),
        (OPEN, {**BEARER, **USER}, "ann"),
        (LOCAL, {"x-user-id": "Zoe\u0308".encode().decode("latin-1")}, "Zoë"),
    ],
)
async def test_who_passes_without_a_virtual_key_and_as_whom(identity: Identity, headers: dict[str, str], user: str) -> None:
    result = await run(auth(identity), ask(headers=headers), answers("Hi"))
    assert ("Hi", user, None) == (result.text, result.exchange.caller.user, result.exchange.caller.key_id)


@pytest.mark.parametrize("identity", MODES)
@pytest.mark.parametrize(
    "headers", [VIRTUAL, {**VIRTUAL, **USER}, {"x-api-key": GOOD}, {"authorization": f"bearer {GOOD}"}, {"x-api-key": GOOD, **USER}]
)
async def test_a_virtual_key_is_its_user_whatever_stands_beside_it(identity: Identity, headers: dict[str, str]) -> None:
    result = await run(auth(identity), ask(headers=headers), answers("Hi"))
    assert ("Hi", "bob", "key-1") == (result.text, result.exchange.caller.user, result.exchange.caller.key_id)
    assert result.exchange.caller.key == Key("key-1", "bob")


def bad(headers: dict[str, str]) -> list[Any]:
    return [(identity, headers) for identity in MODES]


@pytest.mark.parametrize(
    ("identity", "headers"),
    [
        (KEYED, {}),
        (KEYED, USER),
        (KEYED, BAD),
        (KEYED, {**BAD, **USER}),
        (KEYED, {"authorization": ADMIN}),
        (KEYED, {"authorization": f"Basic {ADMIN}"}),
        (KEYED, {"authorization": f"Bearer {ADMIN}x"}),
        (KEYED, {"x-api-key": "\xe9"}),
        *bad({"authorization": f"Basic {GOOD}"}),
        *bad({"authorization": GOOD}),
        *bad({"authorization": f"Bearer: {GOOD}"}),
        (OPEN, BAD),
        *bad(WRONG),
        *bad({**WRONG, **USER}),
        *bad({"x-api-key": "sk-ailb_"}),
        *bad({"authorization": f"Bearer {GOOD}x"}),
        *bad({"authorization": "Bearer sk-ailb_\xe9"}),
    ],
)
async def test_who_does_not(identity: Identity, headers: dict[str, Any]) -> None:
    result = await run(auth(identity), ask(headers=headers), answers("Hi"))
    assert isinstance(result.refusal, InvalidKey)
    assert result.refusal.message.startswith("Invalid API key")
    assert (401, "", "anonymous") == (result.outcome.http_status, result.text, result.exchange.caller.user)
    assert ADMIN not in str(result.refusal.body())


async def test_without_a_store_no_virtual_key_is_good() -> None:
    result = await run(Auth(LOCAL, Models({}), StillClock(), NO_KEYS), ask(headers=VIRTUAL), answers("Hi"))
    assert isinstance(result.refusal, InvalidKey)


@pytest.mark.parametrize("identity", MODES)
async def test_while_the_store_is_lost_nobody_is_believed(identity: Identity) -> None:
    result = await run(auth(identity, Lost()), ask(headers=VIRTUAL), answers("Hi"))
    assert isinstance(result.refusal, Unavailable)
    assert result.text == ""


async def test_a_revoked_key_is_refused_at_the_next_request() -> None:
    ring = Ring()
    layer = auth(KEYED, ring)
    assert "Hi" == (await run(layer, ask(headers=VIRTUAL), answers("Hi"))).text
    ring.keys.clear()
    assert isinstance((await run(layer, ask(headers=VIRTUAL), answers("Hi"))).refusal, InvalidKey)


@pytest.mark.parametrize(("peer", "user"), [("10.1.2.3", "alice"), ("11.1.2.3", "anonymous"), ("", "anonymous"), ("::1", "anonymous")])
async def test_a_trusted_proxy_names_the_user_and_nobody_else_does(peer: str, user: str) -> None:
    identity = Identity(Secret("a" * 16), required=False, proxies=(ip_network("10.0.0.0/8"),))
    exchange = ask(headers={"x-user-id": "alice", "x-forwarded-for": "10.0.0.1"})
    exchange.peer = peer
    result = await run(auth(identity), exchange, answers("Hi"))
    assert user == result.exchange.caller.user


@pytest.mark.parametrize("given", ["a" * 257, "a,b", "a\x00", "\xff", "\u202eann".encode().decode("latin-1")])
async def test_a_user_that_cannot_be_one(given: str) -> None:
    result = await run(auth(LOCAL), ask(headers={"x-user-id": given}), answers("Hi"))
    assert isinstance(result.refusal, BadRequest)
    assert result.refusal.param == "X-User-ID"


@pytest.mark.parametrize(
    ("limits", "asked", "param"),
    [
        ({"allowed_models": ("gpt-*",)}, {"model": "claude"}, "model"),
        ({"allowed_models": ()}, {"model": "gpt-4"}, "model"),
        ({"allowed_models": ("gpt-*",)}, {"model": None}, "model"),
        ({"allowed_collections": ("docs",)}, {"rag_collection": "secrets"}, "rag_collection"),
        ({"allowed_collections": ()}, {"rag_collection": "docs"}, "rag_collection"),
    ],
)
@pytest.mark.parametrize("identity", MODES)
async def test_what_a_key_may_not_do(identity: Identity, limits: dict[str, Any], asked: dict[str, Any], param: str) -> None:
    result = await run(auth(identity, Ring(**limits), "default-model"), ask(headers=VIRTUAL, **asked), answers("Hi"))
    assert isinstance(result.refusal, Forbidden)
    assert (403, param) == (result.refusal.status, result.refusal.param)


@pytest.mark.parametrize(
    ("limits", "asked"),
    [
        ({"allowed_models": ("gpt-*",)}, {"model": "gpt-4"}),
        ({"allowed_models": ("default-model",)}, {"model": None}),
        ({"allowed_collections": ("docs",)}, {"rag_collection": "docs"}),
        ({"allowed_collections": ()}, {}),
        ({}, {"model": "anything", "rag_collection": "any"}),
    ],
)
async def test_what_it_may(limits: dict[str, Any], asked: dict[str, Any]) -> None:
    result = await run(auth(KEYED, Ring(**limits), "default-model"), ask(headers=VIRTUAL, **asked), answers("Hi"))
    assert result.text == "Hi"


async def test_a_thousand_wrong_keys_from_one_address_are_not_looked_up() -> None:
    ring = Ring()
    looked_up: list[str] = []
    find = ring.find

    class Counted:
        async def find(self, secret: str) -> Key | None:
            looked_up.append(secret)
            return await find(secret)

    layer = auth(KEYED, Counted())
    statuses = Counter([await status(layer, f"sk-ailb_{n:043}") for n in range(500)] + [await status(layer, f"sk-{n}") for n in range(500)])
    assert (Counter({401: 20, 429: 980}), 20) == (statuses, len(looked_up))
    assert (401, 200, 429) == (await status(layer, "sk-x", "10.0.0.2"), await status(layer, ADMIN), await status(layer, GOOD))


async def test_a_key_that_was_good_goes_on_and_a_wrong_one_is_told_to_wait() -> None:
    layer = auth(KEYED)
    assert 200 == await status(layer, GOOD)
    assert {401: 20, 429: 5} == Counter([await status(layer, f"sk-{n}") for n in range(25)])
    assert 200 == await status(layer, GOOD)
    result = await run(layer, ask(headers=WRONG), answers("Hi"))
    assert result.refusal is not None
    assert ("1", "rate_limit_error") == (result.refusal.headers["retry-after"], result.refusal.type)


async def test_in_local_mode_only_virtual_keys_are_judged() -> None:
    layer = auth(LOCAL)
    assert {401: 20, 429: 5} == Counter([await status(layer, f"sk-ailb_{n}") for n in range(25)])
    assert [200, 200] == [await status(layer, given) for given in ("sk-whatever", "")]


async def test_behind_a_proxy_its_client_is_the_address() -> None:
    identity = Identity(Secret(ADMIN), proxies=(ip_network("10.0.0.0/8"),))
    layer = auth(identity)
    assert {401: 20, 429: 5} == Counter([await status(layer, f"sk-{n}", "10.0.0.1", "192.0.2.1") for n in range(25)])
    assert [401, 429, 429] == [
        await status(layer, "sk-x", "10.0.0.1", client) for client in ("192.0.2.2", "192.0.2.1", "192.0.2.9, 192.0.2.1")
    ]


async def status(layer: Auth, key: str, peer: str = "127.0.0.1", forwarded: str = "") -> int:
    exchange = ask(headers={"authorization": f"Bearer {key}", "x-forwarded-for": forwarded})
    exchange.peer = peer
    return (await run(layer, exchange, answers("Hi"))).outcome.http_status
