from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from ailb.admin.openapi import document, plain
from ailb.admin.openapi_operations import OPERATIONS, PARAMETERS
from ailb.clock import Clock
from ailb.gateway import Gateway
from ailb.loader import load
from ailb.meter import Meter
from ailb.metrics import Metrics
from ailb.records import Records
from ailb.records_shelf import Shelf
from ailb.server import _app
from ailb.services import Services
from tests.ailb.serving import Client

ADMIN = "admin-key-of-a-test"
CONFIG = """
default_model = "echo"
[auth]
admin_key = "{admin}"
[store]
url = "sqlite+aiosqlite:///{folder}/ailb.db"
[embed]
embedder = "none"
[[layer]]
use = "auth"
[[layer]]
use = "routing"
[[provider]]
name = "echo"
"""


def whole(folder: Path) -> Starlette:
    """The app as `ailb serve` makes it."""
    file = folder / "config.toml"
    file.write_text(CONFIG.format(admin=ADMIN, folder=folder))
    clock, metrics = Clock(), Metrics()
    services = Services({Clock: clock, Meter: metrics}, file, {})
    snapshot = load(file, {}, services)
    store = services.start()
    return _app(Gateway(snapshot, lambda: snapshot, clock, store), metrics, snapshot.config, store, Shelf(services[Records]))


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return whole(tmp_path)


def routed(app: Starlette) -> set[tuple[str, str]]:
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) == len(app.routes)
    return {(method, plain(route.path)) for route in routes for method in (route.methods or ()) if method != "HEAD"}


def test_every_route_is_in_the_document_and_the_reverse(app: Starlette) -> None:
    assert routed(app) == {(operation.method, operation.path) for operation in OPERATIONS}


async def test_the_document_tells_only_what_is_mounted(app: Starlette) -> None:
    app.router.routes[:] = [route for route in app.router.routes if not getattr(route, "path", "").startswith("/api")]
    told = (await Client(app, b"", method="GET", path="/openapi.json", headers={"host": "localhost"}).run()).json
    assert routed(app) == {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert ("3.1.0", "AILB") == (told["openapi"], told["info"]["title"])


def references(part: Any) -> Iterator[str]:
    children = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    for child in children:
        yield from references(child)
    if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
        yield part["$ref"]


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    told = orjson.loads(orjson.dumps(document(OPERATIONS)))
    assert set(references(told)) == {f"#/components/schemas/{name}" for name in told["components"]["schemas"]}


def test_every_parameter_is_used() -> None:
    assert set(PARAMETERS) == {name for operation in OPERATIONS for name in operation.parameters}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_every_part_of_a_path_is_a_parameter(operation: Any) -> None:
    inside = {part.strip("{}") for part in operation.path.split("/") if part.startswith("{")}
    assert inside <= set(operation.parameters)
