"""Clients that take nothing (FAULTS B9): memory stays bounded, and they are cut."""

from tests.e2e.gateway import Gateway
from tests.e2e.raw import Client
from tests.e2e.upstream import Talk, Upstream
from tests.e2e.wire import asked, token

READERS = 5


async def endless(talk: Talk) -> None:
    event = token("x" * 16_000)
    while True:
        await talk.stream(event)


def test_a_stalled_reader_costs_little_and_is_cut(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(endless)
    memory = gateway.rss
    clients = [Client(gateway.port, receive_buffer=4096) for _ in range(READERS)]
    try:
        for client in clients:
            client.post(asked(model, stream=True)).head()
        calls = [upstream.call(model, number) for number in range(1, READERS + 1)]
        # write_seconds is 2: the rest is for a loaded machine.
        assert [call.gone.wait(2.0 + 6.0) for call in calls] == [True] * READERS
        assert gateway.rss - memory < READERS * 5_000_000
    finally:
        for client in clients:
            client.close()
