import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ailb import log
from ailb.log import Lines
from ailb.secret import HIDDEN, Secret

KEY = "sk-abcdefghijklmnop"
ODD = ["a\r\nb", "a\nfake line", "\x1b[31mred\x1b[0m", "%s %d", "{}{0}", "\x00\x07\x9b", "\u2028", '"quoted"', "日本"]


class Out:
    """Standard output as the log sees it."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        self.stream = io.TextIOWrapper(self.bytes, encoding="utf-8", newline="\n")

    @property
    def text(self) -> str:
        self.stream.flush()
        return self.bytes.getvalue().decode()

    @property
    def lines(self) -> list[str]:
        assert self.text.endswith("\n")
        return self.text[:-1].split("\n")

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def out() -> Iterator[Out]:
    before = structlog.get_config()
    yield Out()
    structlog.configure(**before)


def logger(out: Out, style: str, level: str = "info") -> Any:
    log.configure(level, style, out.stream)
    return structlog.get_logger("test").bind()


def test_a_line_is_one_json_object(out: Out) -> None:
    logger(out, "json").info("request", id="r", status=200, ms=1.5, none=None, flag=True)
    (event,) = out.events
    assert event.pop("timestamp").endswith("Z")
    assert {"event": "request", "level": "info", "id": "r", "status": 200, "ms": 1.5, "none": None, "flag": True} == event


@pytest.mark.parametrize("odd", ODD)
def test_in_json_nothing_in_a_field_makes_another_line(out: Out, odd: str) -> None:
    logger(out, "json").info("request", id=odd, path=odd)
    (event,) = out.events
    assert (odd, odd) == (event["id"], event["path"])


@pytest.mark.parametrize("odd", ODD)
def test_on_a_console_nothing_in_a_field_makes_another_line_or_moves_the_cursor(out: Out, odd: str) -> None:
    logger(out, "console").info("request", id=odd, nested={"a": odd}, error=ValueError(odd))
    (line,) = out.lines
    assert line.isprintable()


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_key_gets_out(out: Out, style: str) -> None:
    said = logger(out, style)
    said.info("request", error=f"Incorrect API key: {KEY}", secret=Secret(KEY), problem=ValueError(KEY), listed=Secret(KEY))
    try:
        raise LookupError(f"bad key {KEY}")
    except LookupError:
        said.exception("bug", id="r")
    assert KEY not in out.text
    assert out.text.count(HIDDEN) >= 5


@pytest.mark.parametrize("value", [f"\ud800 {KEY}", {1: KEY}])
def test_what_json_cannot_say_costs_no_line(out: Out, value: object) -> None:
    logger(out, "json").info("odd", value=value, id="r")
    (event,) = out.events
    assert ("'odd'", "'r'") == (event["event"], event["id"])
    assert HIDDEN in event["value"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_exception_comes_with_its_traceback(out: Out, style: str) -> None:
    said = logger(out, style)
    try:
        raise LookupError("what \x1b[31m happened")
    except LookupError as error:
        said.error("bug", exc_info=error)
    assert "Traceback" in out.text
    assert "LookupError" in out.text
    assert "\x1b" not in out.text


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(out: Out, style: str, level: str, expected: int) -> None:
    said = logger(out, style, level)
    for name in ("debug", "info", "warning", "error"):
        getattr(said, name)(name)
    assert expected == len(out.lines)


async def test_lines_are_written_together_and_soon(out: Out) -> None:
    flushed = asyncio.Event()

    class Raw(io.BytesIO):
        def flush(self) -> None:
            flushed.set()

    raw = Raw()
    lines = Lines(raw)
    lines.write({"event": "one"})
    lines.write({"event": "two"})
    assert raw.getvalue() == b""
    await asyncio.wait_for(flushed.wait(), 10)
    assert raw.getvalue() == b'{"event":"one"}\n{"event":"two"}\n'


def test_without_a_loop_a_line_is_written_at_once() -> None:
    raw = io.BytesIO()
    Lines(raw).write({"event": "one"})
    assert raw.getvalue() == b'{"event":"one"}\n'


def test_nothing_to_flush_writes_nothing() -> None:
    raw = io.BytesIO()
    Lines(raw).flush()
    assert raw.getvalue() == b""
