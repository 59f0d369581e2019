"""The recorded provider traffic, the fake upstream that serves it, and a gateway in front of that."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, Self
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from providers.catalog import ROWS
from tests.e2e.gateway import KEY, Gateway, free_port, table

SHARED = Path(os.environ.get("AILB_SHARED") or Path(__file__).resolve().parents[2] / "../shared")
WIRE = (SHARED / "wire").resolve()
NEEDS_WIRE = pytest.mark.skipif(not (WIRE / "replay.py").is_file(), reason="the recorded provider traffic is not here")

Json = dict[str, Any]

STRANGER = "openai-compatible"
KINDS = {"vercel-gateway": "vercel"}
"""Where the catalogue has another name for it than the recordings."""


@dataclass(frozen=True)
class Recording:
    """One exchange with a provider, as the file has it."""

    file: str
    data: Json = field(hash=False)

    @property
    def endpoint(self) -> str:
        return str(self.data["endpoint"])

    @property
    def provider(self) -> str:
        return str(self.data["provider"])

    @property
    def key(self) -> str:
        """What no other file has at the end of its name; a fault that was not recorded has no key there."""
        name = Path(self.file).stem
        return f"{self.provider}-{name}"[:64] if self.file.startswith("_") else f"r{name[-6:]}"

    @property
    def kind(self) -> str:
        """Its row in the catalogue. Ollama is two: its own dialect, and OpenAI's."""
        if self.endpoint == "chat.completions" and self.provider == "ollama":
            return STRANGER
        kind = KINDS.get(self.provider, self.provider)
        return kind if kind in ROWS else STRANGER

    @property
    def body(self) -> Json:
        return dict(self.data["request"]["json"])

    @property
    def model(self) -> str:
        """Azure has it in the path, or nowhere."""
        path = str(self.data["request"]["path"])
        in_path = path.partition("/deployments/")[2].partition("/")[0]
        return self.body.get("model") or in_path or "gpt-4o"

    @property
    def base(self) -> str:
        """The path under which the endpoint stands at the provider."""
        path = str(self.data["request"]["path"])
        for tail in ("/chat/completions", "/v1/messages", "/api/chat"):
            if path.endswith(tail):
                return f"/{self.provider}{path.removesuffix(tail)}".partition("/openai/deployments/")[0]
        raise ValueError(path)

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream", self.endpoint == "api.chat"))

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers that change the answer."""
        return telling(self.data["request"]["headers"])

    @property
    def response(self) -> Json:
        return dict(self.data["response"])

    @property
    def status(self) -> int:
        return int(self.response["status"])

    @property
    def text(self) -> str:
        """A streamed answer, as it came."""
        return str(self.response.get("sse") or self.response.get("ndjson") or "")

    @property
    def objects(self) -> list[Json]:
        """The JSON of the answer: of each event or line of a stream, or the one body."""
        if "body" in self.response:
            return [self.response["body"]]
        if "ndjson" in self.response:
            return [json.loads(line) for line in self.text.splitlines()]
        lines = (line.removeprefix("data:").strip() for line in self.text.splitlines() if line.startswith("data:"))
        return [json.loads(line) for line in lines if line and line != "[DONE]"]

    @property
    def features(self) -> frozenset[str]:
        return frozenset(self.data["features"])


def telling(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in ("anthropic-beta", "anthropic-version")}


def recordings(endpoint: str, *providers: str, folder: str = "") -> list[Recording]:
    """In the order of their names; `folder` is `_reported` for the faults that were not recorded."""
    files = sorted((WIRE / folder).glob("[a-z]*/*.json"))
    read = [Recording(str(file.relative_to(WIRE)), json.loads(file.read_text())) for file in files if not file.parent.name.startswith("_")]
    return [recording for recording in read if recording.endpoint == endpoint and (not providers or recording.provider in providers)]


class Sent(NamedTuple):
    """What a provider got: the body, and the headers that change the answer."""

    body: Json
    headers: dict[str, str]


class Replay:
    """`with Replay("--chunk", "7")`: `replay.py` as a process. With `url(path)`, and what it was asked."""

    def __init__(self, *options: str) -> None:
        """Starts it; `with` waits until it is ready."""
        self.port = free_port()
        command = [sys.executable, str(WIRE / "replay.py"), "--port", str(self.port), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        deadline = monotonic() + 30
        while monotonic() < deadline and self._process.poll() is None:
            try:
                self._call("index?provider=none")
                return self
            except URLError:
                sleep(0.05)  # There is nothing to wait on until the port is open.
        self.__exit__()
        raise AssertionError("replay.py did not start")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(5)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def asked(self, recorded: Iterable[Recording]) -> dict[str, Sent]:
        """The last request that each of the files was the answer to; a stream's stands in the log once it is over."""
        wanted = {recording.file for recording in recorded}
        deadline = monotonic() + 5
        while True:
            log = {entry["match"]: Sent(entry["json"], telling(entry["headers"])) for entry in self._call("log")}
            if wanted <= log.keys() or monotonic() > deadline:
                return {file: log.get(file, Sent({}, {})) for file in wanted}
            sleep(0.05)  # There is nothing to wait on.

    def cut(self, recording: Recording, after: int) -> None:
        """Of what the recording's provider is asked next, only so many bytes of the answer come."""
        self._call("force", {"provider": recording.provider, "cut_after": after})

    def _call(self, what: str, body: Json | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.url(f"/__replay/{what}"), data), timeout=20) as answer:
            return json.load(answer)


@dataclass(frozen=True)
class Rig:
    """A gateway in which each recording has a provider of its own: of the kind that it was recorded from, with the replayer as its
    address, and told which file is its answer. So a request gets its own answer, whatever else is asked at the same time.

    `upstream` cuts its streams into pieces of 1 to 7 bytes; `direct` is for clients that ask it without a gateway.
    """

    gateway: Gateway
    upstream: Replay
    direct: Replay

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"


@contextmanager
def rig(engine: str, folder: Path, recorded: Iterable[Recording]) -> Iterator[Rig]:
    """All processes, with the gateway's config in `folder`."""
    upstream, direct, port = Replay("--chunk", "7", "--random"), Replay(), free_port()
    with upstream, direct:
        file = folder / "config.toml"
        file.write_text(_config(engine, port, upstream, recorded))
        with Gateway(file, port) as gateway:
            yield Rig(gateway, upstream, direct)
            assert gateway.process.poll() is None, gateway.output[-4000:]
        gateway.check()


def _config(engine: str, port: int, upstream: Replay, recorded: Iterable[Recording]) -> str:
    server = {"host": "127.0.0.1", "port": port, "engine": engine, "drain_seconds": 2.0}
    layers = '[[layer]]\nuse = "access"\n[[layer]]\nuse = "routing"\nopen_after = 1000000\n'
    return f"[server]\n{table(server)}{layers}" + "".join(_provider(recording, upstream) for recording in recorded)


def _provider(recording: Recording, upstream: Replay) -> str:
    told = {
        "name": recording.key,
        "kind": recording.kind,
        "base_url": upstream.url(recording.base),
        "api_key": KEY.format(recording.key),
        "models": ["*"],
        "local": True,
    }
    return f"[[provider]]\n{table(told)}headers = {{ x-replay-file = {json.dumps(recording.file)} }}\n"
