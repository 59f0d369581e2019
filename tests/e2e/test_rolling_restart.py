"""Two gateways behind nginx are restarted one after the other, under load (FAULTS E6): no call fails, and no stream ends without a word."""

import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.e2e.gateway import PATIENT, Gateway, config, free_port, provider
from tests.e2e.raw import Client
from tests.e2e.scripts import held, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, error_of, frames

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
    scgi_temp_path {folder}/e;
    upstream gateways {{ server 127.0.0.1:{one} max_fails=0; server 127.0.0.1:{other} max_fails=0; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://gateways;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_buffering off;
            proxy_next_upstream error http_503 non_idempotent;
        }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, one: int, other: int) -> Iterator[int]:
    """Its port."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed")
    folder.mkdir()
    port, file = free_port(), folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, one=one, other=other, port=port))
    running = subprocess.Popen([binary, "-e", folder / "error.log", "-c", file])
    try:
        deadline = monotonic() + 10
        while True:
            try:
                Client(port).close()
                break
            except ConnectionRefusedError:
                assert monotonic() < deadline
                sleep(0.02)  # It does not say when it listens.
        yield port
    finally:
        running.terminate()
        running.wait(10)


class Load:
    """Threads that ask without a pause: for whole answers, and for streams that end by themselves soon, or never."""

    def __init__(self, port: int, models: tuple[str, str, str]) -> None:
        self.ended: Counter[str] = Counter()
        self._port = port
        self._over = threading.Event()
        whole, short, long = models
        asks = [(whole, False)] * 4 + [(short, True)] * 2 + [(long, True)] * 2
        self._threads = [threading.Thread(target=self._ask, args=one) for one in asks]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, model: str, stream: bool) -> None:
        while not self._over.is_set():
            with Client(self._port, seconds=30) as client:
                answer = client.post(asked(model, stream)).answer()
            self.ended[_end(answer.status, answer.body, stream)] += 1


def _end(status: int, body: bytes, stream: bool) -> str:
    if status != 200 or not stream:
        return f"{'stream' if stream else 'whole'} {status}"
    if frames(body)[-1:] == [b"[DONE]"]:
        return "stream done"
    return "stream ended by an error" if error_of(body) is not None else "stream cut"


def test_a_rolling_restart_fails_no_call(engine: str, upstream: Upstream, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    rest = provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT)
    for port in ports:
        (tmp_path / f"{port}.toml").write_text(config(engine, port, rest, drain_seconds=1.0))
    models = (upstream.on(hello), upstream.on(hello), upstream.on(held(upstream.flag())))
    with ExitStack() as opened:
        gateways = {port: opened.enter_context(Gateway(tmp_path / f"{port}.toml", port)) for port in ports}
        proxy = opened.enter_context(nginx(tmp_path / "nginx", *ports))
        with Load(proxy, models) as load:
            for number in range(3):
                before = load.ended.total()
                while load.ended.total() < before + 50:
                    sleep(0.02)  # The load has no event for "both are busy again".
                port = ports[number % 2]
                assert gateways[port].stop() == 0
                gateways[port].check()
                if number < 2:
                    gateways[port] = opened.enter_context(Gateway(tmp_path / f"{port}.toml", port))
    assert set(load.ended) == {"whole 200", "stream done", "stream ended by an error"}, load.ended
