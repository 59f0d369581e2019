"""What tests of /api need: a gateway in each mode, with a store of keys behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from ailb.admin.access import ApiRoute
from ailb.admin.routes import routes, shelved
from ailb.app import build
from ailb.clients.chat import Chat
from ailb.clock import Clock
from ailb.config import Config
from ailb.gateway import Gateway
from ailb.library import Library
from ailb.loader import Snapshot
from ailb.metrics import Metrics
from ailb.models import Models
from ailb.records import Records
from ailb.records_shelf import Shelf
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.documents import Documents
from ailb.store.keys import KeyStore
from ailb.vectors import NoVectors
from tests.ailb.serving import Client, Upstream, snapshot, started
from tests.ailb.store.made import made, patient

ADMIN = "admin-key-of-some-length"
TABLES: Mapping[str, Mapping[str, Any]] = {
    "local": {},
    "keyed": {"auth": {"admin_key": ADMIN}},
    "proxied": {"auth": {"admin_key": ADMIN}, "server": {"trusted_proxies": ["10.0.0.0/8"]}},
    "open": {"auth": {"admin_key": ADMIN, "required": False}},
}
"""By mode: the tables of the configuration that make it."""


class Api:
    """The app, and requests to it."""

    def __init__(self, gateway: Gateway, asgi: Starlette, keys: KeyStore, database: Database, api: list[ApiRoute]) -> None:
        self.gateway = gateway
        self.asgi = asgi
        self.keys = keys
        self.database = database
        self.api = api
        self.records = Records()
        self.documents: Documents

    async def __call__(
        self, method: str, path: str, body: Any = b"", *, bearer: str = "", user: str = "", peer: str = "127.0.0.1", **headers: str
    ) -> Client:
        """`headers` with `_` for `-`. A body is sent as JSON unless `content_type` says otherwise."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body != b"" or method in ("POST", "PUT", "PATCH"):
            sent = {"content-type": "application/json", **sent}
        if bearer:
            sent["authorization"] = f"Bearer {bearer}"
        if user:
            sent["x-user-id"] = user
        path, _, query = path.partition("?")
        scope = {"client": (peer, 5), "query_string": query.encode()}
        return await Client(self.asgi, body, method=method, path=path, headers=sent, scope=scope).run()


@asynccontextmanager
async def calling(folder: Path, mode: str, clock: Clock) -> AsyncIterator[Api]:
    """A gateway in one of the modes of `TABLES`."""
    config = Config.model_validate({"layer": [{"use": "routing"}], "provider": [{"name": "echo"}], **TABLES[mode]})
    inner = snapshot(Upstream())
    gateway = await started(Snapshot(config, inner.layers, inner.providers, Models({}), inner.call, "1"))
    async with patient(made(folder), clock) as database:
        await database.prepare()
        keys = KeyStore(database, clock)
        records = Records()
        api = routes(gateway, database, keys, Budgets(database), Shelf(records))
        library = Library(database, NoVectors())
        asgi = build(gateway, Metrics(), config, (Chat(),), [*api, *shelved(gateway, keys, library)], keys)
        calls = Api(gateway, asgi, keys, database, [route for route in asgi.routes if isinstance(route, ApiRoute)])
        calls.records, calls.documents = records, library.documents
        async with library:
            yield calls
        await keys._cache.close()
    await gateway.stop()


def endpoints(routes: list[ApiRoute]) -> set[tuple[str, str]]:
    """Every method and path that there is, but HEAD, which is GET."""
    return {(method, route.path) for route in routes for method in (route.methods or ()) if method != "HEAD"}
