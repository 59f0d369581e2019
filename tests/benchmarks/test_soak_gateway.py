"""How the soaked gateway is set up, and what is seen of it."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from ailb.plugins import named
from benchmarks.contenders import FULL, Site
from benchmarks.soak_gateway import SOAKED, Held, complaints
from benchmarks.tasks import Tasks


def test_it_has_every_layer_with_limits_for_everybody_and_tells_its_tasks(tmp_path: Path) -> None:
    arguments = SOAKED.arguments(Site("uvicorn", 4711, "http://127.0.0.1:4712", tmp_path))
    config = tomllib.loads(Path(arguments[4]).read_text())
    layers = {layer["use"]: layer for layer in config["layer"]}
    assert list(layers) == list(FULL)
    assert set(layers["ratelimit"]) == {"use", "requests_per_minute", "tokens_per_minute", "max_parallel"}
    assert [named(name, "") for name in config["server"]["middleware"]] == [Tasks]


@pytest.mark.parametrize(
    ("changes", "within"),
    [({"tasks": 14, "sockets": 8}, True), ({"tasks": 15}, False), ({"sockets": 9}, False), ({"exchanges": 1}, False)],
)
def test_a_little_more_is_within(changes: dict[str, int], within: bool) -> None:
    quiet = Held(tasks=9, descriptors=20, sockets=3, exchanges=0)
    assert replace(quiet, **changes).within(quiet, 5) is within


def test_complaints_are_counted_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'{"event":"request"}\nTask was destroyed but it is pending!\nTraceback (most recent call last):\n')
    assert [complaints(log), log.stat().st_size, complaints(log)] == [2, 0, 0]
