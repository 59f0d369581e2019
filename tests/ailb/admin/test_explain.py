"""What would become of a request, told without making it; and who may see what became of one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb import app
from ailb.admin.access import Access
from ailb.admin.explain import ExplainPages
from ailb.clients.chat import Chat
from ailb.errors import BadRequest
from ailb.exchange import Exchange, Outcome, Reply
from ailb.gateway import Gateway
from ailb.identity import Identity
from ailb.keys import NO_KEYS
from ailb.metrics import Metrics
from ailb.models import Models
from ailb.records import Records
from ailb.records_shelf import Shelf
from ailb.stack import Layer, Next
from ailb.testing import StillClock, answers
from middleware.access import Access as AccessLayer
from middleware.auth import Auth
from middleware.records import Records as RecordsLayer
from tests.ailb.serving import Client, Upstream, said, snapshot, started


class Desk:
    """A gateway in local mode around one upstream."""

    def __init__(self, gateway: Gateway, upstream: Upstream, records: Records, metrics: Metrics) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.records = records
        pages = ExplainPages(gateway, Shelf(records)).routes(Access(gateway, NO_KEYS))
        self.app = app.build(gateway, metrics, gateway.snapshot.config, (Chat(),), pages)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Client:
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return await Client(self.app, body, method=method, path=path, headers=sent).run()

    async def explain(self, body: Any = None, **headers: str) -> Client:
        return await self.call("POST", "/api/routing/explain", body, **headers)


@asynccontextmanager
async def desk(*layers: Layer, **server: Any) -> AsyncIterator[Desk]:
    """`layers` stand behind a log, records and auth, as in a gateway."""
    upstream, records, metrics = Upstream(said("Hi", "stop")), Records(), Metrics()
    auth = Auth(Identity(None, True, ()), Models({}), StillClock())
    onion: list[Layer] = [AccessLayer(metrics), RecordsLayer(records, StillClock()), auth, *layers]
    gateway = await started(snapshot(upstream, onion, **server))
    yield Desk(gateway, upstream, records, metrics)
    await gateway.stop()


class Deciding:
    """Says what it decided, as a layer should."""

    def __init__(self) -> None:
        self.dry: list[bool] = []

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        self.dry.append(exchange.dry)
        exchange.record["candidates"] = [{"provider": "fake", "model": "m", "kept": True, "reason": "first"}]
        return await call_next(exchange)


async def test_it_tells_who_would_be_asked_and_asks_nobody() -> None:
    layer = Deciding()
    async with desk(layer) as gateway:
        with capture_logs() as lines:
            told = (await gateway.explain(x_user_id="ann")).json
    assert ("ask fake/m", None, "fake/m") == (told["would"], told["refusal"], told["target"])
    assert (None, [], None) == (told["outcome"], told["attempts"], told["cost"])
    assert [{"provider": "fake", "model": "m", "kept": True, "reason": "first"}] == told["candidates"]
    assert ({"user": "ann", "key_id": None}, "m") == (told["caller"], told["asked"])
    assert (0, [True], []) == (gateway.upstream.replied, layer.dry, lines)
    assert gateway.records.find(told["id"]) is None


async def test_a_refusal_is_an_answer() -> None:
    class Refusing:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            raise BadRequest("not today", code="closed")

    async with desk(Refusing()) as gateway:
        client = await gateway.explain()
    assert (200, "refuse", None) == (client.status, client.json["would"], client.json["target"])
    assert BadRequest("not today", code="closed").body() == client.json["refusal"]


async def test_a_layer_that_answers_itself_says_so() -> None:
    class Cached:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            reply = await answers("Hi")(exchange)
            exchange.target = None
            return reply

    async with desk(Cached()) as gateway:
        assert "answer without asking anybody" == (await gateway.explain()).json["would"]


class Taking:
    """Does not know of dry exchanges: it takes, and gives back at the end."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.taken = 0
        self.outcomes: list[Outcome] = []
        self._problem = problem

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        self.taken += 1
        exchange.on_settle(self._back)
        if self._problem is not None:
            raise self._problem
        return await call_next(exchange)

    async def _back(self, outcome: Outcome) -> None:
        self.taken -= 1
        self.outcomes.append(outcome)


@pytest.mark.parametrize(
    ("problem", "status", "ended"),
    [(None, 200, "disconnected"), (BadRequest("no"), 200, "refused"), (RuntimeError("a bug"), 500, "complete")],
)
async def test_whatever_was_taken_all_the_same_comes_back(problem: Exception | None, status: int, ended: str) -> None:
    layer = Taking(problem)
    async with desk(layer) as gateway:
        with capture_logs():
            assert status == await _status(gateway, problem)
        assert (0, [ended]) == (layer.taken, [outcome.status for outcome in layer.outcomes])
        assert 0 == gateway.gateway._open[0]


async def _status(gateway: Desk, problem: Exception | None) -> int:
    """Starlette answers for a bug, and raises it again for the server's log."""
    try:
        return (await gateway.explain()).status
    except RuntimeError as raised:
        assert raised is problem
        return 500


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"messages": 5}', 400),
        (b'{"model": "m"}', 400),
        (b'{"messages": [{"role": "user"}]', 400),
        (b" " * 5000, 413),
    ],
)
async def test_a_bad_body_is_refused_as_a_request_would_be(body: bytes, status: int) -> None:
    layer = Deciding()
    async with desk(layer, max_body_bytes=2000) as gateway:
        assert status == (await gateway.explain(body)).status
        assert (0, []) == (gateway.gateway._open[0], layer.dry)


async def test_while_the_gateway_drains_nothing_is_explained() -> None:
    async with desk() as gateway:
        gateway.gateway.draining = True
        assert 503 == (await gateway.explain()).status


async def test_a_request_can_be_asked_about_by_its_user_and_by_nobody_else() -> None:
    async with desk() as gateway:
        with capture_logs():
            made = await gateway.call("POST", "/v1/chat/completions", x_user_id="ann", x_request_id="mine")
        assert 200 == made.status
        mine = await gateway.call("GET", "/api/requests/mine", b"", x_user_id="ann")
        assert ("mine", "complete", 200) == tuple(mine.json[name] for name in ("id", "outcome", "status"))
        others = [await gateway.call("GET", f"/api/requests/{id}", b"", x_user_id="bob") for id in ("mine", "none")]
        assert [404, 404] == [other.status for other in others]
        assert others[0].body == others[1].body
        assert 404 == (await gateway.call("GET", "/api/requests/mine", b"")).status
