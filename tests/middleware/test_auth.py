from ipaddress import ip_network
from typing import Any

import pytest

from ailb.errors import InvalidKey
from ailb.identity import Identity
from ailb.secret import Secret
from ailb.testing import answers, ask, run
from middleware.auth import Auth

ADMIN = "admin-key-of-some-length"
LOCAL, KEYED, OPEN = Identity(), Identity(Secret(ADMIN)), Identity(Secret(ADMIN), required=False)
BEARER, BAD = {"authorization": f"Bearer {ADMIN}"}, {"authorization": "Bearer sk-other"}
USER = {"x-user-id": "ann"}


@pytest.mark.parametrize(
    ("identity", "headers", "user"),
    [
        (LOCAL, {}, "anonymous"),
        (LOCAL, USER, "ann"),
        (LOCAL, {"x-user-id": ""}, "anonymous"),
        (LOCAL, BAD, "anonymous"),
        (KEYED, BEARER, "anonymous"),
        (KEYED, {**BEARER, **USER}, "ann"),
        (KEYED, {"x-api-key": ADMIN}, "anonymous"),
        (KEYED, {"authorization": f"bearer {ADMIN}"}, "anonymous"),
        (OPEN, {}, "anonymous"),
        (OPEN, USER, "anonymous"),
        (OPEN, {**BEARER, **USER}, "ann"),
    ],
)
async def test_who_passes_and_as_whom(identity: Identity, headers: dict[str, str], user: str) -> None:
    result = await run(Auth(identity), ask(headers=headers), answers("Hi"))
    assert ("Hi", user, None) == (result.text, result.exchange.caller.user, result.exchange.caller.key_id)


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
        (OPEN, BAD),
    ],
)
async def test_who_does_not(identity: Identity, headers: dict[str, Any]) -> None:
    result = await run(Auth(identity), ask(headers=headers), answers("Hi"))
    assert isinstance(result.refusal, InvalidKey)
    assert result.refusal.message.startswith("Invalid API key")
    assert (401, "", "anonymous") == (result.outcome.http_status, result.text, result.exchange.caller.user)
    assert ADMIN not in str(result.refusal.body())


@pytest.mark.parametrize(("peer", "user"), [("10.1.2.3", "alice"), ("11.1.2.3", "anonymous"), ("", "anonymous"), ("::1", "anonymous")])
async def test_a_trusted_proxy_names_the_user_and_nobody_else_does(peer: str, user: str) -> None:
    identity = Identity(Secret("a" * 16), required=False, proxies=(ip_network("10.0.0.0/8"),))
    exchange = ask(headers={"x-user-id": "alice"})
    exchange.peer = peer
    result = await run(Auth(identity), exchange, answers("Hi"))
    assert user == result.exchange.caller.user
