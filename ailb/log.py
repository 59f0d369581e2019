"""The log: one JSON object a line on standard output, and nothing secret in it."""

import asyncio
import atexit
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO

import orjson
import structlog

from ailb.secret import scrub

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

WAIT_SECONDS = 0.02
SHORTEST_KEY = 9
"""No text that is shorter can hold one: see `ailb.secret`."""

Fields = MutableMapping[str, Any]


def configure(level: str = "info", style: str = "json", stream: TextIO | None = None) -> None:
    """Sets up structlog for the process. `style`: "json" or "console"."""
    stream = stream or sys.stdout
    processors: list[structlog.typing.Processor]
    factory: Any
    if style == "json":
        processors = [line]
        lines = Lines(stream.buffer)
        atexit.register(lines.flush)
        factory = lines.logger
    else:
        processors = [finished, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        factory = structlog.PrintLoggerFactory(stream)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), stream=stream, format="%(message)s", force=True)


def finished(logger: Any, method: str, fields: Fields) -> Fields:
    """With the traceback, the level and the time in UTC, and without whatever looks like a key: a log is the last place where one could
    get out.
    """
    if "exc_info" in fields:
        structlog.processors.format_exc_info(logger, method, fields)
    for name, value in fields.items():
        if type(value) is str and len(value) >= SHORTEST_KEY:
            fields[name] = scrub(value)
    fields["level"] = method
    fields["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return fields


def line(logger: Any, method: str, fields: Fields) -> bytes:
    """One step and not a chain of them, because every request comes through here."""
    return orjson.dumps(finished(logger, method, fields), default=repr)


class Lines:
    """Whole lines, written together: a write of its own for every request would cost more than making the line.

    A line is on its way after `WAIT_SECONDS` at the latest. The log is not the ledger: `kill -9` may take the last few.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []

    def msg(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(WAIT_SECONDS, self.flush)
            except RuntimeError:  # before the loop runs and after it, there is nothing to wait for
                self.flush()

    debug = info = warning = error = critical = exception = msg

    def flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            self._stream.write(b"\n".join([*lines, b""]))
            self._stream.flush()

    def logger(self, *_names: Any) -> "Lines":
        """As structlog's factories are called."""
        return self
