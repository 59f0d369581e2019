"""Five times what the gateway takes: it does as much as ever, and tells the rest at once when to come again."""

from contextlib import ExitStack

from tests.e2e.conftest import Launch
from tests.e2e.raw import Answer, Client
from tests.e2e.scripts import hello
from tests.e2e.upstream import Flag, Talk, Upstream
from tests.e2e.wire import asked, said

CAPACITY = 8
WAVES = 5


def text(answer: Answer) -> str:
    return said(answer.body) or str(answer.json["choices"][0]["message"]["content"])


def test_as_many_are_served_as_ever_and_the_rest_is_told_to_wait(launch: Launch, upstream: Upstream) -> None:
    """The upstream holds whoever is served until the others were told, so that it does not matter how fast anybody is."""
    gates: list[Flag] = []

    async def held(talk: Talk) -> None:
        await gates[-1].reached()
        await hello(talk)

    model = upstream.on(held)
    with launch(max_requests=CAPACITY) as gateway:
        for wave in range(WAVES):
            gates.append(upstream.flag())
            with ExitStack() as stack:
                clients = [stack.enter_context(Client(gateway.port)) for _ in range(5 * CAPACITY)]
                for client in clients[:CAPACITY]:
                    client.post(asked(model, stream=wave % 2 == 0))
                upstream.call(model, (wave + 1) * CAPACITY)
                for client in clients[CAPACITY:]:
                    client.post(asked(model, stream=wave % 2 == 0))
                shed = [client.answer() for client in clients[CAPACITY:]]
                assert {(503, "1")} == {(answer.status, answer.header("retry-after")) for answer in shed}
                assert {"server_error"} == {answer.error["type"] for answer in shed}
                assert 200 == gateway.get("/healthz").status
                gates[-1].set()
                served = [client.answer() for client in clients[:CAPACITY]]
                assert 200 == clients[-1].get("/healthz").answer().status  # on the connection on which it was told to wait
            assert [200] * CAPACITY == [answer.status for answer in served]
            assert all(
                (said(answer.body) if wave % 2 == 0 else answer.json["choices"][0]["message"]["content"]) == "hello" for answer in served
            )
        assert 200 == gateway.chat(model).status
    assert WAVES * CAPACITY + 1 == len(upstream.calls(model))
