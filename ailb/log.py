"""The log: one JSON object a line on standard output, and nothing secret in it."""

import asyncio
import atexit
import logging
import re
import sys
import time
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

_CONTROL = re.compile(r"[^\n\x20-\x7e\xa0-\U0010ffff]")

Fields = MutableMapping[str, Any]


def configure(level: str = "info", style: str = "json", stream: TextIO | None = None) -> None:
    """Sets up structlog for the process. `style`: "json" or "console"."""
    stream = stream or sys.stdout
    if style == "json":
        lines = Lines(stream.buffer, LEVELS[level])
        atexit.register(lines.flush)
        structlog.configure(wrapper_class=JsonLogger, logger_factory=lines.logger, cache_logger_on_first_use=True)
    else:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                without_secrets,
                escaped,
                structlog.dev.ConsoleRenderer(colors=stream.isatty(), repr_native_str=True),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(stream),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[Forward()], force=True)


def flush() -> None:
    """Writes what still waits, for a process that ends without Python's own end."""
    lines = getattr(structlog.get_config()["logger_factory"], "__self__", None)
    if isinstance(lines, Lines):
        lines.flush()


def without_secrets(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Takes whatever looks like a key out of every text; a log line is the last place where one could get out."""
    for name, value in fields.items():
        if type(value) is str and len(value) >= SHORTEST_KEY and name != "timestamp":  # which is our own, in every line
            fields[name] = scrub(value)
    return fields


def escaped(_logger: Any, _method: str, fields: Fields) -> Fields:
    """For a terminal: nothing in a field can move its cursor, and only a traceback has several lines."""
    for name, value in fields.items():
        if name == "exception":
            fields[name] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
        elif not isinstance(value, str | int | float | None):
            fields[name] = shown(value)
    return fields


def shown(value: object) -> str:
    """What JSON has no shape for."""
    return scrub(repr(value))


def rendered(line: Fields) -> bytes:
    without_secrets(None, "", line)
    try:
        return orjson.dumps(line, default=shown)
    except TypeError:  # a text that is none in UTF-8, or one that is too deep in others
        return orjson.dumps({name: scrub(ascii(value)) for name, value in line.items()})


class Forward(logging.Handler):
    """What the libraries say through the standard library's logging becomes a line like all others."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        tell = log.error if record.levelno >= logging.ERROR else log.warning
        tell(record.getMessage(), logger=record.name, **({"exc_info": record.exc_info} if record.exc_info else {}))


class JsonLogger(structlog.BoundLoggerBase):
    """structlog's logger with its chain of processors in one step: every request comes through here."""

    _logger: "Lines"

    def debug(self, event: str, **fields: Any) -> None:
        self._log("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._log("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._log("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._log("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        self._log("error", event, {"exc_info": True, **fields})

    def _log(self, level: str, event: str, fields: dict[str, Any]) -> None:
        lines = self._logger
        if LEVELS[level] < lines.level:
            return
        if "exc_info" in fields:
            structlog.processors.format_exc_info(lines, level, fields)
        lines.write({"timestamp": lines.now(), "level": level, "event": event, **fields})


class Lines:
    """Whole lines, made and written together: a write of its own for every request would cost more than making the line, and making many in
    a row costs less than making each among everything else.

    A line is on its way after `WAIT_SECONDS` at the latest. The log is not the ledger: `kill -9` may take the last few.
    """

    def __init__(self, stream: BinaryIO, level: int = logging.INFO) -> None:
        self.level = level
        self._stream = stream
        self._waiting: list[Fields] = []
        self._second = 0
        self._prefix = ""

    def write(self, line: Fields) -> None:
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(WAIT_SECONDS, self.flush)
            except RuntimeError:  # before the loop runs and after it, there is nothing to wait for
                self.flush()

    def flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            self._stream.write(b"\n".join([*map(rendered, lines), b""]))
            self._stream.flush()

    def now(self) -> str:
        """The time in UTC, to the millisecond."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{int(now * 1000) % 1000:03d}Z"

    def logger(self, *_names: Any) -> "Lines":
        """As structlog's factories are called."""
        return self
