"""A provider too fast to be the bottleneck: nginx answering out of memory, told what to do by the model's name."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.children import BenchmarkError, child, free_port, tail

EVENTS = 64
PAUSE_SECONDS = 0.02
HELD_SECONDS = 60
INSTALL = "this needs nginx with Lua, and wrk: apt-get install nginx libnginx-mod-http-lua wrk"

_WORDS = ("The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "then", "it", "rests", "a", "while")


@dataclass(frozen=True, slots=True)
class Upstream:
    """nginx, listening on a port of this machine."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def units(self) -> int:
        """Whole answers and events of streams that were sent so far."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/tally")
            return int(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def upstream(folder: Path, core: int | None) -> Iterator[Upstream]:
    """Started, ready, and ended with the block."""
    port = free_port()
    (folder / "chat.json").write_bytes(chat_answer())
    (folder / "stream.sse").write_bytes(b"".join(stream_events()))
    conf = folder / "nginx.conf"
    conf.write_text(rendered(folder, port, modules_folder()))
    log = folder / "nginx.log"
    with child(["nginx", "-p", str(folder), "-c", str(conf), "-e", str(log)], folder, log, core) as process:
        ready = Upstream(port)
        for _ in range(500):
            try:
                ready.units()
            except OSError:
                if process.poll() is not None:
                    break
                time.sleep(0.01)
            else:
                yield ready
                return
        raise BenchmarkError(f"nginx did not start:\n{tail(log)}")


def modules_folder() -> Path:
    """Where nginx keeps its modules. Raises BenchmarkError with what to install."""
    if not shutil.which("nginx") or not shutil.which("wrk"):
        raise BenchmarkError(INSTALL)
    built = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True, timeout=10).stderr
    folder = Path(built.partition("--modules-path=")[2].partition(" ")[0])
    if not (folder / "ngx_http_lua_module.so").exists():
        raise BenchmarkError(INSTALL)
    return folder


def rendered(folder: Path, port: int, modules: Path) -> str:
    template = Template(Path(__file__).with_name("upstream.conf").read_text())
    return template.substitute(folder=folder, port=port, modules=modules, pause_seconds=PAUSE_SECONDS, held_seconds=HELD_SECONDS)


def request_body(model: str, stream: bool) -> bytes:
    """What a client asks."""
    asked: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. Answer in one short paragraph."},
            {"role": "user", "content": " ".join(_WORDS)},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(asked).encode()


def chat_answer() -> bytes:
    message = {"role": "assistant", "content": " ".join(_WORDS * 4)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _json({**_envelope("chat.completion"), "choices": [choice], "usage": _usage()})


def stream_events() -> list[bytes]:
    """64 events as they go over the wire: a role, words, why it ended, the usage, and the mark of the end."""
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"{_WORDS[number % len(_WORDS)]} "} for number in range(EVENTS - 4)]
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    chunks.append(_chunk([], usage=_usage()))
    return [b"data: %s\n\n" % payload for payload in [*map(_json, chunks), b"[DONE]"]]


def _chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {**_envelope("chat.completion.chunk"), "choices": choices, **more}


def _envelope(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-bench0000000000000000", "object": kind, "created": 1700000000, "model": "bench-model"}


def _usage() -> dict[str, int]:
    return {"prompt_tokens": 42, "completion_tokens": 61, "total_tokens": 103}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
