from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from ailb.app import build
from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.dialect import Event
from ailb.gateway import Gateway
from ailb.metrics import Metrics
from ailb.metrics_text import Exposition
from tests.ailb.serving import ASKED, Client, Upstream, config, snapshot, started

WHOLE = Event.whole({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": {"content": "Hi"}}]})


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Tagging:
    """A user's ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tagging(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-tag", b"1")]
            await send(message)

        await self.app(scope, receive, tagging if scope["type"] == "http" else send)


async def app(**server: Any) -> ASGIApp:
    gateway: Gateway = await started(snapshot(Upstream(WHOLE), **server))
    return build(gateway, Metrics(), config(**server), (Chat(), Messages()))


async def ask(asgi: ASGIApp, path: str, method: str = "GET", body: Any = b"", **options: Any) -> Client:
    return await Client(asgi, body, method=method, path=path, **options).run()


async def test_a_chat_goes_to_its_edge() -> None:
    client = await ask(await app(), "/v1/chat/completions", "POST", ASKED)
    assert (200, WHOLE.raw) == (client.status, client.body)
    assert client.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("path", "key"),
    [("/healthz", "status"), ("/readyz", "providers"), ("/v1/models", "data"), ("/v1/models/m", "id"), ("/v1/models/a/b", "id")],
)
async def test_the_other_routes(path: str, key: str) -> None:
    client = await ask(await app(), path)
    assert client.status == 200
    assert key in client.json
    assert ("no-store", "Authorization") == (client.headers["cache-control"], client.headers["vary"])
    assert client.headers["x-request-id"].startswith("req_")


async def test_metrics_are_text() -> None:
    client = await ask(await app(), "/metrics")
    assert (200, True) == (client.status, client.headers["content-type"].startswith("text/plain"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/nowhere", 404),
        ("POST", "/healthz", 405),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/..", 400),
    ],
)
async def test_every_error_has_the_one_shape(method: str, path: str, status: int) -> None:
    client = await ask(await app(), path, method)
    assert (status, status) == (client.status, client.json["status_code"])
    assert client.json["detail"] == client.json["error"]["message"]
    assert "x-request-id" in client.headers


async def test_a_405_says_what_is_allowed() -> None:
    assert (await ask(await app(), "/v1/chat/completions")).headers["allow"] == "POST"


async def test_a_route_of_anthropics_clients_errs_in_their_shape() -> None:
    client = await ask(await app(), "/v1/messages")
    assert (405, "error") == (client.status, client.json["type"])


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/messages/count_tokens", "error"), ("/v1/messages/batches/1", "error"), ("/v1/messages-", "not_found_error")]
)
async def test_so_does_what_is_not_there_below_it(path: str, kind: str) -> None:
    client = await ask(await app(), path, "POST")
    assert (404, kind) == (client.status, client.json["type"])


async def test_a_model_that_nobody_serves_is_told_with_its_neighbours() -> None:
    shot = snapshot(Upstream(WHOLE))
    shot.models.offer("fake", ["gpt-4o"])
    client = await ask(build(await started(shot), Metrics(), shot.config, [Chat()]), "/v1/models/gpt-4")
    assert (404, "model_not_found") == (client.status, client.json["error"]["code"])
    assert "gpt-4o" in client.json["detail"]


async def test_a_model_is_found_by_a_name_whose_slash_is_escaped() -> None:
    shot = snapshot(Upstream(WHOLE))
    shot.models.offer("fake", ["openai/gpt-4o"])
    asgi = build(await started(shot), Metrics(), shot.config, [Chat()])
    for path, found in (("/v1/models/openai/gpt-4o", (200, "openai/gpt-4o")), ("/v1/models/openai/gpt-4", (404, None))):
        client = await ask(asgi, path, scope={"raw_path": path.replace("i/g", "i%2Fg").encode()})
        assert found == (client.status, client.json.get("id"))


async def test_a_page_before_the_start_is_unavailable_and_a_bug_tells_nothing() -> None:
    asgi = await app()
    gateway = await started(snapshot(Upstream(WHOLE)))
    await gateway.stop()
    early = build(gateway, Metrics(), config(), [Chat()])
    assert (await ask(early, "/v1/models")).status == 503

    class Broken(Metrics):
        async def exposition(self) -> Exposition:
            raise LookupError("secret internals")

    broken = build(await started(snapshot(Upstream(WHOLE))), Broken(), config(), [Chat()])
    client = Client(broken, b"", method="GET", path="/metrics")
    with pytest.raises(LookupError):
        await client.run()
    assert (500, "internal error") == (client.status, client.json["detail"])
    assert (await ask(asgi, "/healthz")).status == 200


async def test_a_head_has_no_body_of_its_own_and_is_allowed() -> None:
    assert (await ask(await app(), "/healthz", "HEAD")).status == 200


ORIGIN = {"origin": "https://app.example"}
PREFLIGHT = {**ORIGIN, "access-control-request-method": "POST"}


async def test_web_pages_may_call_where_the_config_says_so() -> None:
    asgi = await app(cors_origins=["https://app.example"])
    assert (await ask(asgi, "/v1/chat/completions", "OPTIONS", headers=PREFLIGHT)).headers["access-control-allow-origin"] == ORIGIN[
        "origin"
    ]
    answered = await ask(asgi, "/v1/chat/completions", "POST", ASKED, headers=ORIGIN)
    assert (200, ORIGIN["origin"]) == (answered.status, answered.headers["access-control-allow-origin"])


@pytest.mark.parametrize(("method", "headers"), [("POST", ORIGIN), ("OPTIONS", PREFLIGHT), ("POST", {"host": "evil.example"})])
async def test_and_nowhere_else(method: str, headers: dict[str, str]) -> None:
    client = await ask(await app(), "/v1/chat/completions", method, ASKED, headers=headers)
    assert client.status in (403, 421)
    assert "access-control-allow-origin" not in client.headers


@pytest.mark.parametrize(("path", "method"), [("/v1/chat/completions", "POST"), ("/healthz", "GET"), ("/nowhere", "GET")])
async def test_a_users_middleware_sees_every_request(path: str, method: str) -> None:
    asgi = await app(middleware=["tests.ailb.test_app:Tagging"])
    assert (await ask(asgi, path, method, ASKED)).headers["x-tag"] == "1"


async def test_the_lifespan_starts_and_stops_the_gateway() -> None:
    shot = snapshot(Upstream(WHOLE))
    gateway = Gateway(shot, lambda: shot, clock=None)  # type: ignore[arg-type]
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        if sent:
            assert gateway.snapshot is shot
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await build(gateway, Metrics(), shot.config, [Chat()])({"type": "lifespan", "app": None, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert gateway._live is None
