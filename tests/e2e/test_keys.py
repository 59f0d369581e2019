"""Virtual keys on a real gateway (FAULTS D14, H3, H10, H11): from the first request to the one after the last."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import Any

import pytest

from tests.e2e.gateway import Gateway, free_port, table
from tests.e2e.raw import Answer, request
from tests.e2e.wire import asked

ADMIN = "admin-key-for-these-tests"
LAYERS = "".join(f'[[layer]]\nuse = "{name}"\n' for name in ("access", "auth", "routing"))


@pytest.fixture(scope="module")
def keyed(engine: str, tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[], str]) -> Iterator[Gateway]:
    port, file = free_port(), tmp_path_factory.mktemp(f"keyed-{engine}") / "config.toml"
    text = f"[server]\n{table({'port': port, 'engine': engine, 'drain_seconds': 2.0})}[auth]\n{table({'admin_key': ADMIN})}"
    text += f"[store]\n{table({'url': new_store(), 'patience': 10.0})}{LAYERS}"
    file.write_text(text + '[[provider]]\nname = "echo"\nmodels = ["m-*"]\n')
    with Gateway(file, port) as gateway:
        yield gateway
    gateway.check()


def kept(gateway: Gateway) -> str:
    """All that is in the store's file; nothing for a server."""
    url = next(line for line in gateway.file.read_text().splitlines() if line.startswith("url = ")).removeprefix("url = ").strip('"')
    file = Path(url.removeprefix("sqlite+aiosqlite:///"))
    return b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*")).decode("latin-1")


def api(gateway: Gateway, method: str, path: str, body: Any = None, key: str = ADMIN, **headers: str) -> Answer:
    headers = {"authorization": f"Bearer {key}", **headers}
    with gateway.client() as client:
        client.send(request(method, path, None if body is None else json.dumps(body).encode(), headers))
        return client.answer()


def chat(gateway: Gateway, key: str, **headers: str) -> int:
    return gateway.chat("m-1", headers={"authorization": f"Bearer {key}", **headers}).status


def made(gateway: Gateway, **body: Any) -> tuple[str, str]:
    """The secret and the path."""
    answer = api(gateway, "POST", "/api/keys", {"name": "test", "user_id": "ann", **body})
    assert answer.status == 201, answer.body
    return answer.json["key"], f"/api/keys/{answer.json['key_data']['id']}"


def test_the_life_of_a_key(keyed: Gateway) -> None:
    secret, path = made(keyed)
    assert 200 == chat(keyed, secret) == chat(keyed, secret, **{"x-user-id": "bob"})
    assert 200 == api(keyed, "PATCH", path, {"allowed_models": ["other-*"]}).status
    assert 403 == chat(keyed, secret)
    assert 200 == api(keyed, "PATCH", path, {"allowed_models": None}).status
    rotated = api(keyed, "POST", f"{path}/rotate", {}).json["key"]
    assert (401, 200) == (chat(keyed, secret), chat(keyed, rotated))
    assert 204 == api(keyed, "DELETE", path).status
    assert 401 == chat(keyed, rotated)
    assert [False] * 4 == [word in text for word in (secret[8:], rotated[8:]) for text in (kept(keyed), keyed.output)]
    told = [line for line in keyed.log() if line.get("event") == "request" and line.get("key") == path.rpartition("/")[2]]
    assert {("ann", 200), ("ann", 403)} == {(line["caller"], line["status"]) for line in told}


@pytest.mark.parametrize(
    "key", ["", "none", "sk-ailb_", "sk-ailb_" + "a" * 43, "sk-ailb_" + "\xe9" * 43, "a" * 8000, ADMIN + "x", "' OR 1=1 --"]
)
def test_what_is_no_key(keyed: Gateway, key: str) -> None:
    assert 401 == chat(keyed, key) == api(keyed, "GET", "/api/keys", key=key).status
    assert 401 == api(keyed, "GET", "/api/keys", key=key, **{"x-user-id": "ann"}).status


def test_a_key_sees_its_own_users_keys_and_changes_none(keyed: Gateway) -> None:
    (anns, _), (_, bobs) = made(keyed), made(keyed, user_id="bob")
    assert {"ann"} == {key["user_id"] for key in api(keyed, "GET", "/api/keys", key=anns, **{"x-user-id": "bob"}).json["keys"]}
    assert 404 == api(keyed, "GET", bobs, key=anns).status
    assert [403, 403] == [api(keyed, method, bobs, {}, key=anns).status for method in ("PATCH", "DELETE")]


def test_a_flood_of_unknown_keys_is_not_in_the_way_of_a_new_one(keyed: Gateway) -> None:
    over = threading.Event()
    seen: list[int] = []

    def flood() -> None:
        with keyed.client() as client:
            while not over.is_set():
                client.send(request("GET", "/v1/models", headers={"authorization": f"Bearer sk-ailb_{token_urlsafe(32)}"}))
                seen.append(client.answer().status)

    threads = [threading.Thread(target=flood) for _ in range(16)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            secret, _ = made(keyed)
            assert 200 == chat(keyed, secret)
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
    assert {401} == set(seen)


def test_a_thousand_wrong_keys_from_one_address_are_limited_and_a_good_one_is_not(keyed: Gateway) -> None:
    secret, _ = made(keyed)
    assert 200 == chat(keyed, secret)
    began, seen = monotonic(), Counter[int]()

    def guess(number: int) -> None:
        with keyed.client() as client:
            for _ in range(number):
                client.post(asked("m-1"), headers={"authorization": f"Bearer sk-ailb_{token_urlsafe(32)}"})
                answer = client.answer()
                seen[answer.status] += 1
                assert answer.status == 401 or answer.header("retry-after") == "1"

    threads = [threading.Thread(target=guess, args=(100,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert (200, 200) == (chat(keyed, secret), chat(keyed, ADMIN))
    seconds = monotonic() - began
    assert set(seen) <= {401, 429}
    assert 1000 == seen.total()
    assert seen[401] <= 20 * (int(seconds) + 1)
