"""Which provider is asked, and which one is left alone, on real sockets: hanging, limited, failing and coming back."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import formatdate
from time import monotonic, sleep, time

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.gateway import PATIENT, Gateway, provider, table
from tests.e2e.raw import Answer
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Call, Script, Talk, Upstream
from tests.e2e.wire import asked

NAMES = ("one", "two", "three")
TARGET = '{{ provider = "{}" }}'
PATTERNS = ["alone-*", "pair-*", "weighed-*", "again-*", "sticky-*", "tools-*", "toolless-*"]
MODELS: Sequence[tuple[str, str]] = (
    ("alone-*", 'targets = [{ provider = "one" }]'),
    ("pair-*", 'targets = [{ provider = "one" }, { provider = "two" }]'),
    ("weighed-*", 'strategy = "round_robin"\ntargets = [{ provider = "one", weight = 80 }, { provider = "two", weight = 20 }]'),
    ("again-*", 'retries = 2\ntargets = [{ provider = "one" }]'),
    ("sticky-*", 'sticky = "session"\nstrategy = "load_balanced"\ntargets = [' + ", ".join(map(TARGET.format, NAMES)) + "]"),
    ("tools-*", 'targets = [{ provider = "one", lacks = ["tools"] }, { provider = "two" }]'),
    ("toolless-*", 'targets = [{ provider = "one", lacks = ["tools"] }]'),
)
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def town(upstream: Upstream) -> str:
    """Three providers, told apart by the path, and a model for each way of asking them."""
    url = f"http://127.0.0.1:{upstream.port}"
    models = "".join(f"[[model]]\n{table({'name': name})}{rest}\n" for name, rest in MODELS)
    return "".join(provider(name, f"{url}/{name}/v1", PATTERNS, PATIENT) for name in NAMES) + models


@pytest.fixture(scope="module")
def once(engine: str) -> None:
    if engine != "hypercorn":
        pytest.skip("which HTTP server stands in front makes no difference here")


@pytest.fixture(scope="module")
def routed(once: None, launch: Launch, upstream: Upstream) -> Iterator[Gateway]:
    with launch(town(upstream), routing="open_seconds = 1.0\n") as gateway:
        yield gateway


def at(call: Call) -> str:
    """The provider."""
    return call.path.split("/")[1]


def asked_of(upstream: Upstream, model: str, since: int = 0) -> list[str]:
    return [at(call) for call in upstream.calls(model)[since:]]


def either(**scripts: Script) -> Script:
    """Each provider has its own."""

    async def script(talk: Talk) -> None:
        await scripts[at(talk.call)](talk)

    return script


def first(*scripts: Script) -> Script:
    """Each in turn, the last one again and again."""
    left = list(scripts)

    async def script(talk: Talk) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(talk)

    return script


def circuit(gateway: Gateway, model: str) -> str:
    state: str = gateway.get("/api/routing/stats").json["providers"]["one"]["models"][model]["circuit"]
    return state


def until(told: Callable[[], bool], seconds: float = 10) -> None:
    deadline = monotonic() + seconds
    while not told():
        assert monotonic() < deadline
        sleep(0.02)  # Nothing tells when a circuit's time is over.


def test_a_provider_that_hangs_takes_nothing_from_another(routed: Gateway, upstream: Upstream) -> None:
    gate = upstream.flag()

    async def hangs(talk: Talk) -> None:
        await gate.reached()
        await hello(talk)

    hanging, well = upstream.on(hangs, kind="alone"), upstream.on(either(one=hangs, two=hello), kind="pair")
    with ExitStack() as stack:
        waiting = [stack.enter_context(routed.client(seconds=30)).post(asked(hanging)) for _ in range(200)]
        upstream.call(hanging, 200)
        answers = [routed.chat(f"two/{well}", stream=number % 2 == 0).status for number in range(100)]
        assert ([200] * 100, 200) == (answers, len(upstream.calls(hanging)))
        assert not any(call.ended.wait(0) or call.gone.wait(0) for call in upstream.calls(hanging))
        gate.set()
        assert [200] * 200 == [client.answer().status for client in waiting]


def test_retries_stay_few_while_everything_fails(once: None, launch: Launch, upstream: Upstream) -> None:
    """One in five requests, ten to begin with, and one more in ten seconds."""
    model, requests = upstream.on(fails(503), kind="again"), 200
    with launch(town(upstream), routing="open_after = 1000000\n") as gateway, ThreadPoolExecutor(50) as pool:
        began = monotonic()
        statuses = set(pool.map(lambda _: gateway.chat(model).status, range(requests)))
        passed = monotonic() - began
    calls = len(upstream.calls(model))
    assert ({503}, True) == (statuses, requests + 20 <= calls <= 1.2 * requests + 10 + 0.1 * passed)


def in_seconds(seconds: int) -> str:
    return formatdate(time() + seconds, usegmt=True)


@pytest.mark.parametrize("said", ["seconds", "date"])
def test_who_wants_to_rest_is_asked_when_it_has_rested(routed: Gateway, upstream: Upstream, said: str) -> None:
    """A date has whole seconds only."""

    async def limited(talk: Talk) -> None:
        await fails(429, retry_after="2" if said == "seconds" else in_seconds(3))(talk)

    model = upstream.on(either(one=first(limited, hello), two=hello), kind="pair")
    statuses = set()

    def back() -> bool:
        statuses.add(routed.chat(model).status)
        return asked_of(upstream, model).count("one") > 1

    until(back)
    began, again = (call.at for call in upstream.calls(model) if at(call) == "one")
    assert ({200}, True) == (statuses, again - began > 1.9)


@pytest.mark.parametrize(("said", "asked_again"), [("1000000000", 0), ("soon", 5), ("-3", 5), ("", 5)])
def test_what_cannot_be_is_capped_or_ignored(routed: Gateway, upstream: Upstream, said: str, asked_again: int) -> None:
    model = upstream.on(either(one=first(fails(429, retry_after=said), hello), two=hello), kind="pair")
    assert [200] * 6 == [routed.chat(model).status for _ in range(6)]
    assert ["one", "two"] + (["one"] if asked_again else ["two"]) * 5 == asked_of(upstream, model)


def test_when_all_rest_they_are_asked(routed: Gateway, upstream: Upstream) -> None:
    tired = first(fails(429, retry_after="50"), hello)
    model = upstream.on(either(one=tired, two=fails(429, retry_after="50")), kind="pair")
    assert [429, 200] == [routed.chat(model).status for _ in range(2)]


def test_a_short_wait_is_waited_for(routed: Gateway, upstream: Upstream) -> None:
    model = upstream.on(first(fails(429, retry_after="1"), hello), kind="again")
    assert routed.chat(model).status == 200
    before, after = (call.at for call in upstream.calls(model))
    assert after - before > 0.9


@pytest.mark.parametrize("said", ["30", "1000000000"])
def test_a_long_wait_is_the_clients_business(routed: Gateway, upstream: Upstream, said: str) -> None:
    """`most_wait_seconds` is 10."""
    model = upstream.on(fails(429, retry_after=said), kind="again")
    answer = routed.chat(model)
    assert (429, said, 1) == (answer.status, answer.header("retry-after"), len(upstream.calls(model)))


def test_a_half_open_circuit_lets_one_through(routed: Gateway, upstream: Upstream) -> None:
    gate = upstream.flag()

    async def recovers(talk: Talk) -> None:
        await gate.reached()
        await hello(talk)

    model = upstream.on(first(*[fails(500)] * 5, recovers), kind="alone")
    assert [500] * 5 == [routed.chat(model).status for _ in range(5)]
    until(lambda: circuit(routed, model) == "half_open")
    with ThreadPoolExecutor(100) as pool:
        asking = [pool.submit(routed.chat, model) for _ in range(100)]
        until(lambda: sum(one.done() for one in asking) == 99)
        assert len(upstream.calls(model)) == 6
        gate.set()
        answers: list[Answer] = [one.result(10) for one in asking]
    assert [200] + [503] * 99 == sorted(answer.status for answer in answers)
    assert all(answer.header("retry-after") for answer in answers if answer.status == 503)
    assert ("closed", 200) == (circuit(routed, model), routed.chat(model).status)


def test_weights_hold_before_and_after_a_failure(routed: Gateway, upstream: Upstream) -> None:
    dead = {"one": False}

    async def mortal(talk: Talk) -> None:
        if dead["one"]:
            talk.reset()
        else:
            await hello(talk)

    model = upstream.on(either(one=mortal, two=hello), kind="weighed")

    def share(requests: int = 100) -> int:
        since = len(upstream.calls(model))
        assert {200} == {routed.chat(model).status for _ in range(requests)}
        return asked_of(upstream, model, since).count("one")

    assert 77 <= share() <= 83
    dead["one"] = True
    until(lambda: share(1) == 0 and circuit(routed, model) == "open")
    assert share(20) <= 2
    dead["one"] = False
    until(lambda: share(1) == 1 and circuit(routed, model) == "closed")
    assert 77 <= share() <= 83


def test_a_session_stays_with_its_provider(routed: Gateway, upstream: Upstream) -> None:
    model = upstream.on(hello, kind="sticky")
    homes = set()
    for session in range(12):
        since = len(upstream.calls(model))
        for turn in range(3):
            assert routed.chat(model, stream=turn == 1, headers={"x-session-id": f"s{session}"}).status == 200
        (home,) = set(asked_of(upstream, model, since))
        homes.add(home)
    assert set(NAMES) == homes


def test_who_has_no_tools_is_not_asked_for_any(routed: Gateway, upstream: Upstream) -> None:
    model, toolless = upstream.on(hello, kind="tools"), upstream.on(hello, kind="toolless")
    assert [200] * 10 == [routed.chat(model, tools=TOOLS, stream=number % 2 == 0).status for number in range(10)]
    assert ["two"] * 10 == asked_of(upstream, model)
    assert (200, "one") == (routed.chat(model).status, asked_of(upstream, model)[-1])
    refused = routed.chat(toolless, tools=TOOLS)
    assert (400, "cannot do tools" in refused.error["message"], []) == (refused.status, True, upstream.calls(toolless))
