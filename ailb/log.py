"""The log: one JSON object a line on standard output, and nothing secret in it."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog

from ailb.secret import scrub

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Fields = MutableMapping[str, Any]


def configure(level: str = "info", style: str = "json", stream: TextIO | None = None) -> None:
    """Sets up structlog for the process. `style`: "json" or "console"."""
    stream = stream or sys.stdout
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    factory: Any
    if style == "json":
        shared.append(structlog.processors.JSONRenderer(serializer=_json))
        factory = structlog.BytesLoggerFactory(stream.buffer)
    else:
        shared.append(structlog.dev.ConsoleRenderer(colors=stream.isatty()))
        factory = structlog.PrintLoggerFactory(stream)
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), stream=stream, format="%(message)s", force=True)


def without_secrets(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Takes whatever looks like a key out of every text; a log line is the last place where one could get out."""
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = scrub(value)
    return fields


def _json(fields: Fields, **_options: Any) -> bytes:
    return orjson.dumps(fields, default=repr)
