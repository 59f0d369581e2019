from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from ailb.admin.pages import Pages, answer, refusal_page
from ailb.errors import Forbidden, InvalidKey, ModelNotFound, RateLimited
from ailb.exchange import Outcome
from ailb.gateway import Gateway
from ailb.keys import PREFIX, Key
from ailb.metrics import Metrics
from ailb.models import Models
from ailb.testing import TARGET, ask
from tests.ailb.serving import Upstream, snapshot, started


def request(name: str = "", headers: dict[str, str] | None = None) -> Request:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "path_params": {"name": name}}
    return Request({**scope, "ailb.headers": headers or {}})


@asynccontextmanager
async def pages(models: Models | None = None) -> AsyncIterator[tuple[Pages, Gateway, Metrics]]:
    shot = snapshot(Upstream())
    for provider, names in (models.offers if models else {}).items():
        shot.models.offer(provider, names)
    gateway, metrics = await started(shot), Metrics()
    yield Pages(gateway, metrics), gateway, metrics
    await gateway.stop()


def data(response: Any) -> Any:
    return orjson.loads(response.body)


async def test_health() -> None:
    async with pages() as (there, gateway, _):
        healthy = await there.healthz(request())
        assert (200, {"status": "healthy"}) == (healthy.status_code, data(healthy))
        gateway.draining = True
        ill = await there.healthz(request())
        assert (503, "unhealthy") == (ill.status_code, data(ill)["status"])


async def test_readiness_names_what_it_depends_on() -> None:
    async with pages() as (there, gateway, _):
        ready = await there.readyz(request())
        assert (200, {"status": "healthy", "version": "1", "providers": {"fake": "configured"}}) == (ready.status_code, data(ready))
        gateway.draining = True
        assert (await there.readyz(request())).status_code == 503
    ended = await there.readyz(request())
    assert (503, {"status": "unhealthy", "reason": "not started"}) == (ended.status_code, data(ended))


class Stored(AbstractAsyncContextManager[object]):
    """A store that is well or not."""

    healthy = True

    @property
    def dependencies(self) -> dict[str, bool | None]:
        return {"store": self.healthy, "vectors": False, "redis": None}

    async def __aexit__(self, *error: object) -> None: ...


async def test_a_store_that_is_gone_is_said() -> None:
    store = Stored()
    gateway = await started(snapshot(Upstream()), store=store)
    there = Pages(gateway, Metrics())
    ready, health = await there.readyz(request()), await there.healthz(request())
    assert (200, 200, "healthy") == (ready.status_code, health.status_code, data(ready)["store"])
    assert ["unhealthy", "unknown"] == [data(ready)[name] for name in ("vectors", "redis")]
    store.healthy = False
    ready, health = await there.readyz(request()), await there.healthz(request())
    assert (503, 503, "unhealthy", "unhealthy") == (ready.status_code, health.status_code, data(ready)["store"], data(health)["status"])
    await gateway.stop()


async def test_the_metrics() -> None:
    async with pages() as (there, _, metrics):
        exchange = ask()
        exchange.target = TARGET
        metrics.request(exchange, Outcome("complete", 200, 0.1))
        page = await there.metrics(request())
        assert page.headers["content-type"].startswith("text/plain; version=")
        assert isinstance(page, StreamingResponse)
        assert any([b"ailb_requests_total{" in bytes(part) async for part in page.body_iterator if not isinstance(part, str)])


async def test_the_models_in_openais_shape_with_anthropics_paging() -> None:
    async with pages(Models({"fake": ("m1", "gpt-*"), "other": ("m1", "m2")})) as (there, _, _):
        listed = data(await there.models(request()))
        assert [("m1", "fake"), ("m2", "other")] == [(model["id"], model["owned_by"]) for model in listed["data"]]
        assert ("list", False, "m1", "m2") == (listed["object"], listed["has_more"], listed["first_id"], listed["last_id"])
        one = data(await there.model(request("m2")))
        assert one == listed["data"][1]
        assert ("model", "model", 0) == (one["object"], one["type"], one["created"])


async def test_a_list_of_none() -> None:
    async with pages(Models({"fake": ()})) as (there, _, _):
        listed = data(await there.models(request()))
        assert ([], None, None) == (listed["data"], listed["first_id"], listed["last_id"])


async def test_a_model_that_is_not_listed_but_served_is_found_and_another_is_not() -> None:
    async with pages(Models({"fake": ("gpt-*",)})) as (there, _, _):
        assert data(await there.model(request("gpt-5")))["owned_by"] == "fake"
        with pytest.raises(ModelNotFound):
            await there.model(request("llama"))


class Ring:
    """One key for each of these lists of models."""

    allowed: Mapping[str, tuple[str, ...] | None] = MappingProxyType({"all": None, "gpt": ("gpt-*",), "some": ("m2", "llama"), "none": ()})

    async def find(self, secret: str) -> Key | None:
        name = secret.removeprefix(PREFIX)
        return Key(f"key-{name}", "ann", allowed_models=self.allowed[name]) if name in self.allowed else None


async def holding() -> Pages:
    shot = snapshot(Upstream())
    shot.models.offer("fake", ("m1", "m2", "gpt-4", "gpt-5"))
    return Pages(await started(shot), Metrics(), Ring())


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (None, ["m1", "m2", "gpt-4", "gpt-5"]),
        ("sk-not-ours", ["m1", "m2", "gpt-4", "gpt-5"]),
        ("sk-ailb_all", ["m1", "m2", "gpt-4", "gpt-5"]),
        ("sk-ailb_gpt", ["gpt-4", "gpt-5"]),
        ("sk-ailb_some", ["m2"]),
        ("sk-ailb_none", []),
    ],
)
async def test_a_key_is_shown_the_models_that_it_may_use(key: str | None, names: list[str]) -> None:
    there = await holding()
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    listed = data(await there.models(request(headers=headers)))
    assert names == [model["id"] for model in listed["data"]]
    assert (names[:1], names[-1:]) == ([listed["first_id"]] * bool(names), [listed["last_id"]] * bool(names))
    for name in ("m1", "m2", "gpt-4", "gpt-5"):
        if name in names:
            assert data(await there.model(request(name, headers)))["id"] == name
        else:
            with pytest.raises(Forbidden, match=f"this key may not use the model {name}"):
                await there.model(request(name, headers))


async def test_a_key_that_is_none_is_shown_nothing() -> None:
    there = await holding()
    for page in (there.models, there.model):
        with pytest.raises(InvalidKey):
            await page(request("m1", {"x-api-key": "sk-ailb_wrong"}))


def test_pages_are_json() -> None:
    page = answer({"a": 1}, 201)
    assert (201, b'{"a":1}', "application/json") == (page.status_code, page.body, page.headers["content-type"])


def test_a_refusals_page() -> None:
    refusal = RateLimited("slow", headers={"retry-after": "1"})
    page = refusal_page(refusal)
    assert (429, "1", refusal.body()) == (page.status_code, page.headers["retry-after"], data(page))
