"""The client leaves (FAULTS B1-B3, B7, B8, B18, L6): the upstream is told at once, and nothing stays behind.

The promise is 250 ms; `SOON` is the bound here, because a loaded test machine may take its time.
"""

from collections.abc import Callable

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.raw import Client
from tests.e2e.scripts import hello, says, silent, stalls
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, completion

SOON = 1.5
LEAVING: list[Callable[[Client], None]] = [Client.close, Client.reset, Client.half_close]


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("when", ["whole", "before the first byte", "mid-stream"])
def test_the_upstream_is_left_when_the_client_leaves(
    gateway: Gateway, upstream: Upstream, when: str, leave: Callable[[Client], None]
) -> None:
    model = upstream.on(stalls if when == "mid-stream" else silent)
    with gateway.client() as client:
        client.post(asked(model, stream=when != "whole"))
        call = upstream.call(model)
        if when == "mid-stream":
            client.head()
            client.until(b"first")
        assert not call.gone.wait(0)
        leave(client)
        assert call.gone.wait(SOON)
    assert len(upstream.calls(model)) == 1


def test_a_streaming_client_that_sent_more_bytes_and_left_is_found_by_a_heartbeat(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(stalls)
    with gateway.client() as client:
        client.post(asked(model, stream=True)).head()
        client.until(b"first")
        client.send(b"G")
        client.reset()
    assert upstream.call(model).gone.wait(0.5 + 0.5 + SOON)


def test_a_whole_call_whose_client_sent_more_bytes_and_left_ends_by_its_deadline(gateway: Gateway, upstream: Upstream) -> None:
    """The server may be blind to the hang-up then; the provider's `total` of 2 s is what is left."""
    model = upstream.on(silent, b=hello, kind="h")
    with gateway.client() as client:
        client.post(asked(model)).send(b"G")
        call = upstream.call(model)
        client.reset()
    assert call.gone.wait(2.0 + SOON)


def _one_abort(gateway: Gateway, upstream: Upstream, model: str, number: int, *, first: bool) -> None:
    """`first`: the model says a first token, which is waited for before leaving."""
    with gateway.client() as client:
        client.post(asked(model, stream=first or number % 2 == 0), headers={"x-request-id": f"abort-{model}-{number}-"})
        call = upstream.call(model, number + 1)
        if first:
            client.head()
            client.until(b"first")
        (client.reset if number % 2 else client.close)()
        assert call.gone.wait(SOON)


def test_many_aborts_leave_nothing_behind(gateway: Gateway, upstream: Upstream) -> None:
    """A third each: whole, before the first byte, mid-stream. Afterwards: no descriptor, no connection, one log line each."""
    quiet, talking = upstream.on(silent), upstream.on(stalls)
    models = ((quiet, False), (talking, True))
    for model, first in models:
        _one_abort(gateway, upstream, model, 0, first=first)
    descriptors, connections, memory = gateway.descriptors, upstream.open_connections, gateway.rss
    for number in range(1, 151):
        for model, first in models:
            _one_abort(gateway, upstream, model, number, first=first)
    assert gateway.chat(upstream.on(hello)).status == 200
    gateway.line_with(f"abort-{talking}-150-")
    assert gateway.descriptors <= descriptors + 5
    assert upstream.open_connections <= connections + 5
    assert gateway.rss - memory < 20_000_000
    assert [gateway.output.count(f"abort-{model}-{number}-") for model in (quiet, talking) for number in range(151)] == [1] * 302


def test_after_aborts_nobody_gets_another_ones_answer(gateway: Gateway, upstream: Upstream) -> None:
    for number in range(40):
        left = upstream.on(stalls if number % 2 else silent)
        with gateway.client() as client:
            client.post(asked(left, stream=True))
            upstream.call(left)
        model = upstream.on(says(f"answer {number}"))
        assert gateway.chat(model).json["choices"] == completion(f"answer {number}")["choices"]
