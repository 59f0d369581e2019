"""Counting tokens exactly, with OpenAI's vocabularies, in a process apart (`ailb.tokenizer_child`): started at the first count, and anew
where it has died. Any input is counted in linear time, 50 MB a second at the least.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock
from typing import Any, Final
from weakref import finalize

import orjson
import structlog
from anyio import CapacityLimiter, to_thread

from ailb.prompt import Prompt
from ailb.tokens import FIXED, bound, media, media_tokens

LOG = structlog.get_logger("ailb.tokenizer")
OTHERS: Final = 1.35
"""How many more tokens than o200k another vocabulary may make of a text. Anthropic's make the most, which are not public: up to this
much of English and code, and more of other scripts."""

_OPENAI: Final = ("gpt-", "chatgpt-", "o1", "o3", "o4", "ft:gpt-", "openai/", "text-embedding-3")
_OLD: Final = ("gpt-3.5", "gpt-4-", "text-embedding-")
"""OpenAI's models before gpt-4o have cl100k (https://github.com/openai/tiktoken/blob/main/tiktoken/model.py)."""

_ECHO: Final = "echo"
"""The offline provider's models: it puts nothing before a prompt, and counts words, of which each is a token at least."""

_AROUND: Final = 4
"""Tokens around a message or a part of one."""

_LITTLE: Final = 64
"""For what OpenAI puts before every prompt and every list of tools, and Anthropic where it has nothing to explain."""

_EXPLAINED: Final = frozenset({"tools", "functions", "response_format", "output_format", "output_config", "mcp_servers"})
"""What Anthropic, or who speaks to it for a client, explains to the model before the prompt."""

_ROUGH: Final = 3
"""Bytes for a token, where nobody counts: rather too few."""

_CHILD: Final = (sys.executable, "-P", str(Path(__file__).with_name("tokenizer_child.py")))
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
"""What the process gets of the environment. It reads what strangers wrote, and needs no keys for that."""


class Tokenizer:
    """The `Counter` service. Other providers' vocabularies are not public or not small, so their tokens are o200k's and a margin."""

    def __init__(self, command: Sequence[str] = _CHILD) -> None:
        self._apart = _Apart(command)
        self._threads = CapacityLimiter(1)

    async def count(self, text: str, model: str = "") -> int:
        return await to_thread.run_sync(self.counted, text, model, limiter=self._threads)

    async def count_prompt(self, prompt: Prompt, model: str = "") -> int:
        return await to_thread.run_sync(self._prompt, prompt, model, limiter=self._threads)

    def counted(self, text: str, model: str = "") -> int:
        """As `count`, on this thread. For a model whose vocabulary is not known: o200k's tokens; Anthropic's are more."""
        return ceil(self._tokens([text], model) * (OTHERS if "claude" in model else 1))

    def _prompt(self, prompt: Prompt, model: str) -> int:
        texts = list(_texts(prompt.body))
        tokens = self._tokens(texts, model) + _AROUND * len(prompt.body.get("messages", ()))
        tokens = ceil(tokens * (1 if model.startswith(_OPENAI) else OTHERS)) + _before(prompt, model)
        return min(tokens + media_tokens(prompt.body, model), bound(prompt, model))

    def _tokens(self, texts: list[str], model: str) -> int:
        encoding = "cl100k_base" if model == "gpt-4" or model.startswith(_OLD) else "o200k_base"
        try:
            asked = orjson.dumps([encoding, texts])
        except TypeError:  # half of a surrogate pair, which an upstream's JSON can have in it
            asked = orjson.dumps([encoding, [text.encode("utf-8", "replace").decode() for text in texts]])
        try:
            return self._apart.ask(asked)
        except OSError as problem:
            LOG.error("tokens counted roughly", problem=str(problem))
            return ceil(len(asked) / _ROUGH)


class _Apart:
    """The process, which ends with whoever holds this. One count at a time, which goes on when nobody waits for it any more."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._lock = Lock()
        self._process: Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None

    def ask(self, asked: bytes) -> int:
        """Raises OSError where the process cannot be started, and where it dies of it."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(asked + b"\n")
                process.stdin.flush()
            said = process.stdout.readline()
            if not said:
                self._end()
                raise ChildProcessError(f"the process that counts has ended with {process.returncode}")
            return int(said)

    def _started(self) -> Popen[bytes]:
        self._end()
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._process = process = Popen(  # noqa: S603 - the command is ours
            self._command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # what it says when it dies may quote a prompt
            env=environ,
            cwd="/",
        )
        self._end = finalize(self, _end, process)
        return process


def _end(process: Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not written yet is not missed
                pipe.close()


def _before(prompt: Prompt, model: str) -> int:
    """Tokens that the provider puts before a prompt, at most."""
    if model.startswith(_ECHO):
        return 0
    if model.startswith(_OPENAI) or ("claude" in model and _EXPLAINED.isdisjoint(prompt.body)):
        return _LITTLE
    return FIXED


def _texts(body: Any) -> Iterator[str]:
    """Every text, name and number in a request, but for images and the like."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        for item in body:
            yield from _texts(item)
    elif isinstance(body, dict):
        if next(media(body), None) is not body:
            for name, value in body.items():
                yield name
                if name != "images":
                    yield from _texts(value)
    elif body is not None:
        yield str(body)
