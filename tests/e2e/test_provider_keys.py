"""A provider with two keys: both are used, one that is refused is left for the other, and neither is ever seen."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.gateway import Gateway, table
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Script, Talk, Upstream

FIRST, SECOND = "first.canary.of.no.shape", "second.canary.of.no.shape"
"""Nothing about them says that they are keys: who hides them knows them."""


@pytest.fixture(scope="module")
def paired(launch: Launch, upstream: Upstream) -> Iterator[Gateway]:
    url = f"http://127.0.0.1:{upstream.port}/pair/v1"
    told = {"name": "pair", "kind": "openai", "base_url": url, "api_key": "${PAIR}", "models": ["k-*"], "local": True}
    model = '[[model]]\nname = "k-*"\nstrategy = "round_robin"\ntargets = [{ provider = "pair" }]\n'
    with launch(f"[[provider]]\n{table(told)}{model}", env={"PAIR": f"{FIRST},{SECOND}"}) as gateway:
        yield gateway


def used(upstream: Upstream, model: str) -> list[str]:
    return [(call.header("authorization") or "").removeprefix("Bearer ") for call in upstream.calls(model)]


def only_for(key: str, otherwise: Script) -> Script:
    async def script(talk: Talk) -> None:
        await (hello if talk.call.header("authorization") == f"Bearer {key}" else otherwise)(talk)

    return script


@pytest.mark.parametrize("stream", [False, True])
def test_both_are_used(paired: Gateway, upstream: Upstream, stream: bool) -> None:
    model = upstream.on(hello, kind="k")
    assert {200} == {paired.chat(model, stream=stream).status for _ in range(8)}
    assert (8, {FIRST, SECOND}) == (len(used(upstream, model)), set(used(upstream, model)))


@pytest.mark.parametrize("good", [FIRST, SECOND])
@pytest.mark.parametrize("status", [401, 429, 500])
def test_what_one_is_refused_the_other_gets(paired: Gateway, upstream: Upstream, good: str, status: int) -> None:
    model = upstream.on(only_for(good, fails(status)), kind="k")
    assert {200} == {paired.chat(model).status for _ in range(4)}
    assert {FIRST, SECOND} == set(used(upstream, model))


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_quotes_them_shows_neither(paired: Gateway, upstream: Upstream, stream: bool) -> None:
    said = {"error": {"message": f"Incorrect API key provided: {FIRST}; is it {SECOND}?", "type": "x", "code": SECOND, "param": FIRST}}
    model = upstream.on(fails(401, said), kind="k")
    answer = paired.chat(model, stream=stream)
    assert (401, "Incorrect API key provided: [hidden]; is it [hidden]?") == (answer.status, answer.json["detail"])
    assert {FIRST, SECOND} == set(used(upstream, model))
    seen = [str(answer.headers), answer.body.decode(), paired.get("/metrics").body.decode(), paired.output]
    assert [] == [text for text in seen if "canary.of.no.shape" in text]
