"""Conversations on a real gateway (FAULTS K1, K4): the echo provider says what it was given, so one sees what was remembered."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.raw import Answer, request
from tests.e2e.scripts import says
from tests.e2e.upstream import Upstream

ADMIN = "admin-key-for-these-tests"
ALICE, WHO = "My name is Alice", "What is my name?"
USERS = 20
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
Start = Callable[..., AbstractContextManager[Gateway]]


def written(file: Path, engine: str, port: int, store: str, memory: str = "", **server: Any) -> Path:
    text = f"[server]\n{table({'port': port, 'engine': engine, 'drain_seconds': 2.0, **server})}[auth]\n{table({'admin_key': ADMIN})}"
    text += f"[store]\n{table({'url': store, 'patience': 10.0})}" + '[embed]\nembedder = "none"\n'
    text += "".join(f'[[layer]]\nuse = "{name}"\n{memory if name == "memory" else ""}' for name in ("access", "auth", "memory", "routing"))
    file.write_text(text + '[[provider]]\nname = "echo"\nmodels = ["m-*", "echo-*", "claude-*"]\n')
    return file


@pytest.fixture
def start(engine: str, tmp_path: Path, new_store: Callable[[], str]) -> Start:
    """A gateway that may be started again, and remembers."""
    port, store = free_port(), new_store()

    @contextmanager
    def start(memory: str = "", **server: Any) -> Iterator[Gateway]:
        with Gateway(written(tmp_path / "config.toml", engine, port, store, memory, **server), port) as gateway:
            yield gateway
        gateway.check()

    return start


@pytest.fixture(scope="module")
def shared(engine: str, tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[], str]) -> Iterator[Gateway]:
    port, file = free_port(), tmp_path_factory.mktemp(f"memory-{engine}") / "config.toml"
    with Gateway(written(file, engine, port, new_store()), port) as gateway:
        yield gateway


@pytest.fixture
def keyed(shared: Gateway) -> Iterator[Gateway]:
    yield shared
    shared.check()


def api(gateway: Gateway, method: str, path: str, body: Any = None, key: str = ADMIN, **headers: str) -> Answer:
    headers = {"authorization": f"Bearer {key}", **headers}
    with gateway.client() as client:
        client.send(request(method, path, None if body is None else json.dumps(body).encode(), headers))
        return client.answer()


def key_of(gateway: Gateway, user: str) -> str:
    key: str = api(gateway, "POST", "/api/keys", {"name": "test", "user_id": user}).json["key"]
    return key


def say(gateway: Gateway, key: str, text: str, session: str = "s", *, stream: bool = False, model: str = "m-1") -> str:
    """By OpenAI's own client, on a connection of its own."""
    http = openai.DefaultHttpxClient(verify=False, timeout=50)  # which need not read all certificates that there are
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=key, max_retries=0, http_client=http) as client:
        create: Any = client.chat.completions.create
        answer = create(model=model, messages=[{"role": "user", "content": text}], stream=stream, extra_body={"session_id": session})
        if not stream:
            return str(answer.choices[0].message.content)
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)


def remembered(gateway: Gateway, key: str, session: str = "s", least: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
    """The session's turns, waited for until there are so many: they are written down behind the answers."""
    deadline = monotonic() + seconds
    while True:
        answer = api(gateway, "GET", f"/api/sessions/{session}", key=key)
        turns: list[dict[str, Any]] = answer.json["turns"] if answer.status == 200 else []
        if len(turns) >= least or monotonic() > deadline:
            assert len(turns) >= least
            return turns
        sleep(0.02)  # There is nothing to wait on from out here.


@BOTH
def test_a_conversation_goes_on_also_after_a_restart(start: Start, stream: bool) -> None:
    with start() as gateway:
        key = key_of(gateway, "ann")
        assert ALICE in say(gateway, key, ALICE, stream=stream)
        answer = say(gateway, key, WHO, stream=stream)
        assert f"I was also given:\nuser: {ALICE}\nassistant: You said: {ALICE}" in answer
    with start() as gateway:
        answer = say(gateway, key, WHO, stream=stream)
        assert f"user: {ALICE}" in answer
        assert ALICE not in say(gateway, key, WHO, "another")


def test_keys_of_one_user_share_it_and_another_user_knows_nothing(keyed: Gateway) -> None:
    one, other, foreign = (key_of(keyed, user) for user in ("ann", "ann", "bob"))
    say(keyed, one, ALICE, "shared")
    assert ALICE in say(keyed, other, WHO, "shared")
    assert ALICE not in say(keyed, foreign, WHO, "shared")
    spoofed = keyed.chat("m-1", session_id="shared", headers={"authorization": f"Bearer {foreign}", "x-user-id": "ann"})
    assert (200, False) == (spoofed.status, ALICE.encode() in spoofed.body)


def test_a_client_that_hangs_up_is_remembered_as_far_as_it_stayed(keyed: Gateway) -> None:
    key = key_of(keyed, "leaver")
    body = {"model": "echo-slow", "stream": True, "session_id": "cut", "messages": [{"role": "user", "content": "one two three four"}]}
    client = keyed.client().post(json.dumps(body).encode(), headers={"authorization": f"Bearer {key}"})
    client.head()
    client.until(b"said")
    client.close()
    (turn,) = remembered(keyed, key, "cut")
    question, answer = turn["messages"]
    assert (True, "one two three four") == (turn["cut"], question["content"])
    assert answer["content"].startswith("You said")
    assert len(answer["content"]) < len("You said: one two three four")
    assert "assistant: You said" in say(keyed, key, "Go on", "cut")


def test_two_at_once_in_one_session_keep_their_order(keyed: Gateway) -> None:
    key = key_of(keyed, "twice")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: say(keyed, key, f"number {number}", "many", stream=number % 2 == 0), range(8)))
    assert [True] * 8 == [f"number {number}" in answer for number, answer in enumerate(answers)]
    turns = remembered(keyed, key, "many", least=8)
    assert (list(range(1, 9)), 8) == ([turn["number"] for turn in turns], len({turn["messages"][0]["content"] for turn in turns}))
    assert sorted(turn["at"] for turn in turns) == [turn["at"] for turn in turns]
    last = say(keyed, key, "the last", "many")
    assert {f"number {number}" for number in range(8)} == set(re.findall(r"^user: (number \d)$", last, re.MULTILINE))


def test_what_is_forgotten_is_not_known_any_more(keyed: Gateway) -> None:
    key, foreign = key_of(keyed, "carl"), key_of(keyed, "dora")
    say(keyed, key, "My canary is yellow", "gone")
    remembered(keyed, key, "gone")
    assert 404 == api(keyed, "DELETE", "/api/sessions/gone", key=foreign).status
    assert 404 == api(keyed, "GET", "/api/sessions/gone", key=foreign).status
    assert 204 == api(keyed, "DELETE", "/api/sessions/gone", key=key).status
    assert "yellow" not in say(keyed, key, "Which colour has my canary?", "gone")
    turns = remembered(keyed, key, "gone")
    assert [1] == [turn["number"] for turn in turns]


@pytest.mark.timeout(300)
def test_nobody_hears_anothers_canary(keyed: Gateway) -> None:
    """The same session name, the same questions: each user hears what is his, and nothing else."""
    keys = [key_of(keyed, f"user-{number}") for number in range(USERS)]

    def talk(number: int) -> list[str]:
        told = [say(keyed, keys[number], f"My canary's secret is canary-{number:03}-{part}", "wall") for part in range(3)]
        for text in ("What is my canary's secret?", 'canary" OR space : "*', "secret"):
            told.append(say(keyed, keys[number], text, "wall", stream=number % 2 == 0))
        told.append(api(keyed, "GET", "/api/sessions/wall", key=keys[number]).body.decode())
        return told

    with ThreadPoolExecutor(8) as pool:
        everything: Sequence[list[str]] = list(pool.map(talk, range(USERS)))
    for number, told in enumerate(everything):
        heard = {int(found) for text in told for found in re.findall(r"canary-(\d{3})-\d", text)}
        assert {number} == heard
        assert all(f"canary-{number:03}-0" in text for text in told[3:])


def test_what_was_said_long_ago_is_recalled(start: Start) -> None:
    with start("recent_tokens = 60\n") as gateway:
        key = key_of(gateway, "ann")
        say(gateway, key, "My zebra is called Max")
        for number in range(6):
            say(gateway, key, f"Something else, number {number}")
        answer = say(gateway, key, "How is my zebra called?")
        assert re.search(r"<<<earlier ([0-9a-f]{24})\n.*\nearlier \1>>>", answer, re.DOTALL)
        assert re.search(r"\[\d{4}-\d\d-\d\d \d\d:\d\d UTC\]\nuser: My zebra is called Max", answer)
        body = {"model": "m-1", "session_id": "s", "messages": [{"role": "user", "content": "How is my zebra called?"}]}
        told = api(gateway, "POST", "/api/routing/explain", body, key=key).json["memory"]
        assert ("s", True, True) == (told["session"], told["recalled"] >= 1, told["recent_tokens"] <= 60), told
        assert 8 == len(remembered(gateway, key, least=8))


def test_the_clients_of_other_dialects_have_conversations_too(keyed: Gateway) -> None:
    key, base = key_of(keyed, "polyglot"), f"http://127.0.0.1:{keyed.port}"
    headers = {"X-Session-ID": "mixed"}
    claude = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
    llama = ollama.Client(host=base, headers={"authorization": f"Bearer {key}", **headers})
    with claude, llama:
        claude.messages.create(model="m-1", max_tokens=200, messages=[{"role": "user", "content": ALICE}], extra_headers=headers)
        told = llama.chat("m-1", [{"role": "user", "content": WHO}])
        assert f"user: {ALICE}" in str(told.message.content)
        with claude.messages.stream(
            model="m-1", max_tokens=400, messages=[{"role": "user", "content": "And now?"}], extra_headers=headers
        ) as stream:
            answer = stream.get_final_text()
    assert (True, True) == (ALICE in answer, f"user: {WHO}" in answer)
    assert [1, 2, 3] == [turn["number"] for turn in remembered(keyed, key, "mixed", least=3)]


def test_sessions_in_use_are_counted(keyed: Gateway) -> None:
    key = key_of(keyed, "in-use-canary")
    say(keyed, key, "hi", "in-use-canary")
    told = api(keyed, "GET", "/metrics").body.decode()
    found = re.search(r"^ailb_active_sessions (\d+)", told, re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= 1
    assert "in-use-canary" not in told


@BOTH
def test_workers_that_share_a_store_know_what_the_others_have_just_said(
    engine: str, tmp_path: Path, postgres: str, new_store: Callable[[], str], stream: bool
) -> None:
    url, port = new_store(), free_port()
    if url.startswith("sqlite"):
        pytest.skip("SQLite is for one process")
    with Gateway(written(tmp_path / "config.toml", engine, port, url, workers=3), port) as gateway:
        key = key_of(gateway, "ann")
        for number in range(15):
            answer = say(gateway, key, f"number {number}", stream=stream)
            if number:
                assert f"user: number {number - 1}\n" in answer
        assert list(range(1, 16)) == [turn["number"] for turn in remembered(gateway, key, least=15)]
    gateway.check()


def test_gateways_that_share_a_store_keep_one_order(
    engine: str, tmp_path: Path, upstream: Upstream, postgres: str, new_store: Callable[[], str]
) -> None:
    """Sixteen at once through two gateways, then one after the other, through the one that did not say the last."""
    url = new_store()
    if url.startswith("sqlite"):
        pytest.skip("SQLite is for one process")
    model, more = upstream.on(says("Noted."), kind="u"), provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["u-*"], PATIENT)
    with ExitStack() as running:
        gateways = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            port = free_port()
            file = written(tmp_path / name / "config.toml", engine, port, url)
            file.write_text(file.read_text() + more)
            gateways.append(running.enter_context(Gateway(file, port)))
        key = key_of(gateways[0], "ann")
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: say(gateways[number % 2], key, f"{number}", stream=number % 3 == 0, model=model), range(16)))
        one, other = (remembered(gateway, key, least=16) for gateway in gateways)
        assert (one, list(range(1, 17))) == (other, [turn["number"] for turn in one])
        order = [turn["messages"][0]["content"] for turn in one]
        assert {f"{number}" for number in range(16)} == set(order)
        for number in range(16, 24):
            say(gateways[number % 2], key, f"{number}", model=model)
            order.append(f"{number}")
            remembered(gateways[0], key, least=len(order))  # another machine waits for what is being written for 35 ms only
            sent = upstream.calls(model)[-1].json["messages"]
            assert order == [message["content"] for message in sent if message["role"] == "user"]
    for gateway in gateways:
        gateway.check()
