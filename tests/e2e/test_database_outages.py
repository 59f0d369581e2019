"""PostgreSQL dies and hangs under a gateway (FAULTS D5-D7): nothing goes out unbilled, nobody waits, and it recovers by itself."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks.procfs import tree
from tests.ailb.store.conftest import BINARIES
from tests.e2e.gateway import Gateway
from tests.e2e.paying import ADMIN, COST, api, audited, becomes, new_key, settled, started, written
from tests.e2e.raw import Answer
from tests.e2e.scripts import hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked as body


class Cluster:
    """A PostgreSQL of one's own, which may be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.run("initdb", "-A", "trust", "-U", "postgres", "-N")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_user, str(BINARIES[0] / program), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self.run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def query(self, text: str, database: str = "postgres") -> subprocess.Popen[str]:
        """psql, which goes on until its input is closed."""
        command = [
            str(BINARIES[0] / "psql"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert running.stdin is not None
        running.stdin.write(f"{text};\n\\echo done\n")
        running.stdin.flush()
        return running

    def do(self, text: str) -> None:
        assert self.query(text).communicate(timeout=10)[0].endswith("done\n")

    @contextmanager
    def locked(self, table: str, database: str) -> Iterator[None]:
        """Nobody can read it."""
        running = self.query(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", database)
        assert running.stdout is not None
        assert running.stdout.readline() == "done\n"
        try:
            yield
        finally:
            running.communicate(timeout=10)

    def stop(self) -> None:
        self.run("pg_ctl", "-m", "immediate", "stop")

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Takes connections and says nothing."""
        pids = tree(int((self._folder / "data" / "postmaster.pid").read_text().split()[0]))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not BINARIES or (os.geteuid() == 0 and shutil.which("runuser") is None):
        pytest.skip("no PostgreSQL that can be killed: install Debian's package postgresql")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            shutil.chown(name, "postgres")
        cluster = Cluster(Path(name))
        yield cluster
        cluster.stop()


def asked(gateway: Gateway, upstream: Upstream, secret: str) -> tuple[Answer, int]:
    """The answer, waited for within the client's bound, and how often an upstream was asked for it."""
    model = upstream.on(hello)
    with gateway.client(seconds=20) as client:
        answer = client.post(body(model, max_tokens=2), headers={"authorization": f"Bearer {secret}"}).answer()
    return answer, len(upstream.calls(model))


def recovered(gateway: Gateway, upstream: Upstream, secret: str, seconds: float = 30) -> int:
    """How many requests were answered once it works again: the first one."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        if asked(gateway, upstream, secret)[0].status == 200:
            return 1
        sleep(0.05)  # Nobody says from out here that the database is back.
    raise AssertionError("it did not recover")


def test_without_its_database_a_gateway_refuses_fast_and_comes_back(
    engine: str, upstream: Upstream, cluster: Cluster, tmp_path: Path
) -> None:
    file = written(engine, upstream, tmp_path, cluster.url, patience=1.0)
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        assert asked(gateway, upstream, secret)[0].status == 200
        cluster.stop()
        down = [asked(gateway, upstream, secret) for _ in range(3)]
        cluster.start()
        answered = 1 + recovered(gateway, upstream, secret)
        with cluster.hung():
            down += [asked(gateway, upstream, secret) for _ in range(3)]
        answered += recovered(gateway, upstream, secret)
        assert [(answer.status, calls) for answer, calls in down] == [(503, 0)] * 6
        assert settled(gateway, id)["current_spend"] == pytest.approx(answered * COST)
    assert "differences" in audited(file)


def apart(cluster: Cluster, name: str, engine: str, upstream: Upstream, folder: Path, *, patience: float) -> Path:
    """The configuration of a gateway with a database of its own."""
    cluster.do(f"CREATE DATABASE {name}_{engine}")
    return written(engine, upstream, folder, cluster.url.removesuffix("/postgres") + f"/{name}_{engine}", patience=patience)


def test_whoever_asks_while_the_database_hangs_waits_for_one_time_limit_and_not_for_three(
    engine: str, upstream: Upstream, cluster: Cluster, tmp_path: Path
) -> None:
    """Which are for the statement, the rollback and the next connection."""
    file = apart(cluster, "hung", engine, upstream, tmp_path, patience=3.0)
    with started(file) as gateway, ThreadPoolExecutor(6) as pool:
        secret, _ = new_key(gateway, monthly_quota_dollars=1)
        assert asked(gateway, upstream, secret)[0].status == 200
        with cluster.hung():
            began = monotonic()
            answers = list(pool.map(lambda _: asked(gateway, upstream, secret), range(6)))
            assert monotonic() - began < 6
        assert [(answer.status, calls) for answer, calls in answers] == [(503, 0)] * 6
        recovered(gateway, upstream, secret)


def test_readers_that_wait_for_ever_are_not_in_the_way_of_the_rest(
    engine: str, upstream: Upstream, cluster: Cluster, tmp_path: Path
) -> None:
    """There are four connections to read with. The gateway is alive meanwhile, and says so."""
    file = apart(cluster, "pooled", engine, upstream, tmp_path, patience=1.0)
    with started(file) as gateway, ThreadPoolExecutor(12) as pool:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        assert asked(gateway, upstream, secret)[0].status == 200

        def listed(_: int) -> int:
            with gateway.client(seconds=20) as client:
                return client.get("/api/keys", {"authorization": f"Bearer {ADMIN}"}).answer().status

        with cluster.locked("keys", f"pooled_{engine}"):
            assert [503] * 12 == list(pool.map(listed, range(12)))
            assert gateway.get("/healthz").status == 200
        answered = 1 + recovered(gateway, upstream, secret)
        assert {200} == set(pool.map(listed, range(12)))
        assert settled(gateway, id)["current_spend"] == pytest.approx(answered * COST)
    assert "differences" in audited(file)


def test_a_server_that_has_no_connection_left_is_one_that_is_down(
    engine: str, upstream: Upstream, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.do(f"CREATE ROLE {engine} LOGIN; CREATE DATABASE {engine} OWNER {engine}")
    file = written(engine, upstream, tmp_path, f"postgresql+asyncpg://{engine}@127.0.0.1:{cluster.port}/{engine}", patience=1.0)
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        assert asked(gateway, upstream, secret)[0].status == 200
        cluster.do(
            f"ALTER ROLE {engine} CONNECTION LIMIT 0; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{engine}'"
        )
        down = [asked(gateway, upstream, secret) for _ in range(5)]
        assert [(answer.status, calls) for answer, calls in down] == [(503, 0)] * 5
        becomes(gateway, 503)
        cluster.do(f"ALTER ROLE {engine} CONNECTION LIMIT -1")
        answered = 1 + recovered(gateway, upstream, secret)
        becomes(gateway, 200)
        assert api(gateway, "GET", "/api/keys")["total"] == 1
        assert settled(gateway, id)["current_spend"] == pytest.approx(answered * COST)
    assert "differences" in audited(file)
