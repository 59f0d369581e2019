"""A gateway with keys, budgets and a ledger, and those who ask what was spent.

The price is one milli-dollar an output token, and the upstream always makes two: an answer costs 0.002.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.raw import request
from tests.e2e.upstream import Upstream
from tests.e2e.warm import ran

ADMIN = "admin-key-for-these-tests"
LAYERS = "".join(f'[[layer]]\nuse = "{name}"\n' for name in ("access", "auth", "ratelimit", "budget"))
COST = 0.002


def written(engine: str, upstream: Upstream, folder: Path, store: str = "", patience: float = 10.0, **server: Any) -> Path:
    """A config in `folder`, with the store at this URL or its own beside it, which may be as slow as a busy machine is."""
    url = f"http://127.0.0.1:{upstream.port}"
    server = {"host": "127.0.0.1", "port": free_port(), "engine": engine, "drain_seconds": 2.0, **server}
    text = f"[server]\n{table(server)}[auth]\n{table({'admin_key': ADMIN})}[store]\n"
    text += table({"url": store or f"sqlite+aiosqlite:///{folder / 'ailb.db'}", "patience": patience}) + LAYERS
    text += '[[layer]]\nuse = "routing"\nstrategy = "failover"\n'
    text += provider("a", f"{url}/a/v1", ["m-*"], PATIENT) + provider("b", f"{url}/b/v1", ["m-*"], PATIENT)
    text += '[[price]]\nmodel = "*"\ninput = 0.0\noutput = 1000.0\n'
    file = folder / "config.toml"
    file.write_text(text)
    return file


@contextmanager
def started(file: Path) -> Iterator[Gateway]:
    port = next(line for line in file.read_text().splitlines() if line.startswith("port = "))
    with Gateway(file, int(port.removeprefix("port = "))) as gateway:
        yield gateway
    gateway.check()


def api(gateway: Gateway, method: str, path: str, body: Any = None, key: str = ADMIN) -> Any:
    headers = {"authorization": f"Bearer {key}"}
    with gateway.client() as client:
        client.send(request(method, path, None if body is None else json.dumps(body).encode(), headers))
        answer = client.answer()
    assert answer.status < 300, (answer.body, [line for line in gateway.log() if line["level"] != "info"])
    return answer.json if answer.body else None


def new_key(gateway: Gateway, **limits: Any) -> tuple[str, str]:
    """The secret and the id."""
    made = api(gateway, "POST", "/api/keys", {"name": "test", "user_id": "ann", **limits})
    return made["key"], made["key_data"]["id"]


def budget(gateway: Gateway, id: str) -> dict[str, Any]:
    standing: dict[str, Any] = api(gateway, "GET", f"/api/billing/budget/{id}")
    return standing


def settled(gateway: Gateway, id: str, seconds: float = 30) -> dict[str, Any]:
    """The budget once nothing is held any more."""
    deadline = monotonic() + seconds
    while (standing := budget(gateway, id))["reserved"] and monotonic() < deadline:
        sleep(0.05)  # The ledger settles behind the answer; there is nothing to wait on from out here.
    assert standing["reserved"] == 0
    return standing


def becomes(gateway: Gateway, status: int, seconds: float = 30) -> None:
    """Waits for what `/healthz` says."""
    deadline = monotonic() + seconds
    while gateway.get("/healthz").status != status:
        assert monotonic() < deadline
        sleep(0.05)  # It finds out by its next heartbeat.


def rows(gateway: Gateway, id: str) -> list[dict[str, Any]]:
    """The ledger's rows of one key, the oldest first."""
    found: list[dict[str, Any]] = api(gateway, "GET", "/api/billing/usage?limit=1000")["data"]
    return [row for row in reversed(found) if row["key_id"] == id]


def audited(file: Path) -> str:
    """`ailb audit`, which must be content."""
    status, printed = ran("audit", "--config", str(file))
    assert status == 0, printed
    return printed


def bursts(gateway: Gateway, model: str, key: str, *numbers: int, stream: bool = False) -> Counter[str]:
    """The statuses of so many requests from each of as many processes, all at once."""
    command = [sys.executable, "-m", "tests.e2e.burst", str(gateway.port)]
    more = ["stream"] if stream else []
    running = [subprocess.Popen([*command, str(number), model, key, *more], stdout=subprocess.PIPE, text=True) for number in numbers]
    total: Counter[str] = Counter()
    for process in running:
        total.update(json.loads(process.communicate(timeout=50)[0]))
    return total
