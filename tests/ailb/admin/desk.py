"""The whole app over a database in a file, and somebody who calls it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from ailb import app
from ailb.admin.routes import routes
from ailb.clients.chat import Chat
from ailb.config import Config
from ailb.gateway import Gateway
from ailb.metrics import Metrics
from ailb.records import Records
from ailb.records_shelf import Shelf
from ailb.store.budgets import Budgets
from ailb.store.keys import KeyStore
from tests.ailb.serving import Client, Upstream, snapshot
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.made import made, patient

ADMIN: Final = "admin-key-of-a-test"
NOW: Final = 1_768_473_000.0
"""2026-01-15T10:30:00Z, a Thursday."""


class Desk:
    """In local mode unless `keyed`."""

    def __init__(self, folder: Path, *, keyed: bool = False) -> None:
        self.clock = SetClock(NOW)
        self.database = patient(made(folder), self.clock)
        self.keys = KeyStore(self.database, self.clock)
        self.budgets = Budgets(self.database)
        auth = {"admin_key": ADMIN} if keyed else {}
        config = {"layer": [{"use": "routing"}], "provider": [{"name": "echo"}], "auth": auth}
        shot = replace(snapshot(Upstream()), config=Config.model_validate(config))
        self.gateway = Gateway(shot, lambda: shot, self.clock)
        api = routes(self.gateway, self.database, self.keys, self.budgets, Shelf(Records()))
        self.app = app.build(self.gateway, Metrics(), shot.config, (Chat(),), api, self.keys)

    async def __aenter__(self) -> Self:
        await self.database.__aenter__()
        await self.database.prepare()
        await self.keys.__aenter__()
        await self.gateway.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.gateway.stop()
        await self.keys.__aexit__(kind, error, trace)
        await self.database.__aexit__(kind, error, trace)

    async def call(self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Client:
        parts = urlsplit(target)
        sent = {"host": "localhost:8080", **({} if body is None else {"content-type": "application/json"}), **(headers or {})}
        scope = {"query_string": parts.query.encode()}
        client = Client(self.app, b"" if body is None else body, method=method, path=parts.path, headers=sent, scope=scope)
        return await client.run()
