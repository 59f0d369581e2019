"""Documents with their vectors: one gateway with a folder, two with a Chroma server, and what becomes of them in its troubles."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.ailb.admin.test_forms import form, head
from tests.ailb.store.conftest import fresh
from tests.ailb.test_vectors_chroma import served
from tests.e2e.gateway import Gateway, free_port, table
from tests.e2e.raw import Answer, request

for package in ("chromadb", "onnxruntime", "semantic_text_splitter"):
    if find_spec(package) is None:  # the gateway is to import it, and not the tests
        pytest.skip(f"{package} is not installed: ailb[rag]", allow_module_level=True)
pytestmark = pytest.mark.timeout(180)

ALL = "/api/rag/collections"
VACATION, WEATHER = "Employees get thirty days of paid vacation.", "It rains in April."
QUESTION = "How much holiday leave is there?"
"""It has no word in common with the answer."""


def written(folder: Path, store: str, vectors: str, **server: Any) -> Path:
    text = f"[server]\n{table({'port': free_port(), 'drain_seconds': 2.0, **server})}[store]\n{table({'url': store, 'patience': 10.0})}"
    text += f"[vectors]\n{table({'url': vectors})}[embed]\npreload = true\n"
    text += "".join(f'[[layer]]\nuse = "{name}"\n' for name in ("access", "auth", "rag", "routing"))
    folder.joinpath("config.toml").write_text(text + '[[provider]]\nname = "echo"\nmodels = ["m-*"]\n')
    return folder / "config.toml"


@contextmanager
def started(file: Path) -> Iterator[Gateway]:
    port = next(line for line in file.read_text().splitlines() if line.startswith("port = "))
    with Gateway(file, int(port.removeprefix("port = "))) as gateway:
        yield gateway
    gateway.check()


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """A PostgreSQL of one's own."""
    made = AsyncExitStack()
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner.run(made.enter_async_context(fresh(postgres))).reveal()
        runner.run(made.aclose())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/ailb.db", f"{tmp_path}/chroma")


def call(gateway: Gateway, method: str, path: str, body: Any = None, user: str = "ann") -> Answer:
    raw, type = (body, "multipart/form-data; boundary=xyz") if isinstance(body, bytes) else (json.dumps(body).encode(), "application/json")
    headers: dict[str, str | None] = {"x-user-id": user, "content-type": type, "host": f"localhost:{gateway.port}"}
    with gateway.client(seconds=60) as client:
        client.send(request(method, path, None if body is None else raw, headers))
        return client.answer(method)


def filled(gateway: Gateway) -> None:
    assert 201 == call(gateway, "POST", ALL, {"name": "docs"}).status
    body = form((head("rules.md"), f"# Rules\n\n{VACATION}".encode()), (head("weather.txt"), WEATHER.encode()))
    assert 201 == call(gateway, "POST", f"{ALL}/docs/documents", body).status


def found(gateway: Gateway, question: str = QUESTION, user: str = "ann") -> tuple[list[str], str | None]:
    """The documents, best first, and why they were found by their words only."""
    answer = call(gateway, "POST", f"{ALL}/docs/search", {"query": question}, user)
    assert answer.status == 200, answer.body
    return [each["document"] for each in answer.json["passages"]], answer.json["degraded"]


def child(gateway: Gateway) -> int:
    """The process that has Chroma in it."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(gateway.process.pid)], capture_output=True, text=True, check=True)
    (line,) = [line for line in listed.stdout.splitlines() if "ailb.vectors_child" in line]
    return int(line.split()[0])


def gone(pid: int, seconds: float = 20) -> bool:
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
        if state in ("", "Z", "Zs"):
            return True
        sleep(0.05)  # A process that is no child of ours has no event to offer.
    return False


def until_both(gateway: Gateway, seconds: float = 40) -> list[str]:
    """The documents, once they are found by their meaning again."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        documents, degraded = found(gateway)
        if degraded is None:
            return documents
        sleep(0.2)  # It is asked again after a while only.
    raise AssertionError("still by words only")


def test_documents_come_in_are_found_by_their_meaning_and_go(file: Path) -> None:
    with started(file) as gateway:
        filled(gateway)
        assert ("rules.md", None) == (found(gateway)[0][0], found(gateway)[1])
        asked = {"model": "m-1", "rag_collection": "docs", "messages": [{"role": "user", "content": QUESTION}]}
        chat = call(gateway, "POST", "/v1/chat/completions", asked)
        assert VACATION in chat.json["choices"][0]["message"]["content"]
        assert 404 == call(gateway, "POST", f"{ALL}/docs/search", {"query": QUESTION}, user="bob").status
        assert 204 == call(gateway, "DELETE", f"{ALL}/docs/documents/rules.md").status
        assert (["weather.txt"], None) == found(gateway)
        assert 204 == call(gateway, "DELETE", f"{ALL}/docs").status
        assert 404 == call(gateway, "POST", f"{ALL}/docs/search", {"query": QUESTION}).status
        assert 1 == gateway.get("/metrics", {"host": f"localhost:{gateway.port}"}).body.count(b'ailb_rag_searches_total{how="both"}')


def test_vectors_that_hang_or_die_keep_nobody_waiting_and_come_back(file: Path) -> None:
    with started(file) as gateway:
        filled(gateway)
        pid = child(gateway)
        os.kill(pid, signal.SIGSTOP)
        try:
            documents, degraded = found(gateway, "rains")
            assert ["weather.txt"] == documents
            assert degraded in ("timeout", "unavailable")
            assert 200 == gateway.get("/healthz").status
        finally:
            os.kill(pid, signal.SIGCONT)
        assert "rules.md" == until_both(gateway)[0]
        os.kill(pid, signal.SIGKILL)
        assert ["weather.txt"] == found(gateway, "rains")[0][:1]
        assert "rules.md" == until_both(gateway)[0]
        assert pid != child(gateway)


def test_the_process_apart_ends_with_a_gateway_that_is_killed_and_its_folder_is_good(file: Path) -> None:
    gateway = Gateway(file, int(file.read_text().split("port = ")[1].split()[0]))
    try:
        gateway.wait_until_ready()
        filled(gateway)
        pid = child(gateway)
    finally:
        gateway.kill()
    assert gone(pid)
    with started(file) as again:
        assert "rules.md" == until_both(again)[0]


def test_a_folder_for_several_workers_is_refused_with_what_to_set(tmp_path: Path) -> None:
    file = written(tmp_path, "postgresql+asyncpg://u:p@127.0.0.1:1/x", f"{tmp_path}/chroma", workers=2)
    run = subprocess.run(
        [sys.executable, "-m", "ailb", "serve", "--config", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode != 0
    assert "[vectors].url" in run.stderr + run.stdout
    assert "http://host:port" in run.stderr + run.stdout


def test_two_gateways_with_a_server_see_what_the_other_takes_in_and_deletes(tmp_path: Path, database: str) -> None:
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server") as (url, server):
        files = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            files.append(written(tmp_path / name, database, url))
        with started(files[0]) as one, started(files[1]) as two:
            filled(one)
            assert "rules.md" == until_both(two)[0]
            assert 204 == call(one, "DELETE", f"{ALL}/docs/documents/rules.md").status
            assert (["weather.txt"], None) == found(two)
            os.kill(server.pid, signal.SIGSTOP)
            try:
                documents, degraded = found(two, "rains")
                assert ["weather.txt"] == documents
                assert degraded in ("timeout", "unavailable")
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert ["weather.txt"] == until_both(two)
            assert 204 == call(two, "DELETE", f"{ALL}/docs").status
            assert 404 == call(one, "GET", f"{ALL}/docs").status
