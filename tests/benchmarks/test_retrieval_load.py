import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import PIPE
from threading import Thread

import pytest

from ailb.config import Config
from benchmarks.retrieval_load import END, PAGE, START, Figures, Late, Memory, config, late, resident, rows, written

GOOD = Late(0.5, 8.0, 3.0)
SMALL = Memory(160_000_000, 290_000_000, 230_000_000)
FIGURES = Figures([1.0] * 100, [9.0] * 100, GOOD, GOOD, GOOD, GOOD, 50.0, 500.0, Memory(200_000_000, 390_000_000, 310_000_000), SMALL)


@pytest.fixture
def beats() -> Iterator[int]:
    """The port of a gateway that tells of two beats."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps([[-0.1, 0.0], [30.0, 2.0]]).encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_the_machine_does_is_not_the_gateways_own_work(beats: int) -> None:
    assert Late(30.0, 30.0, 2.0) == late(beats)


def test_every_bar_is_judged() -> None:
    assert {"met", ""} == {row[3] for row in rows(FIGURES)}
    bad = Late(50.0, 60.0, 55.0)
    missed = Figures(
        [1.0] * 100, [99.0] * 100, GOOD, bad, bad, bad, 3.0, 500.0, Memory(200_000_000, 410_000_000, 310_000_000), Memory(0, 301_000_000, 0)
    )
    assert {"**missed**", ""} == {row[3] for row in rows(missed)}
    assert ["added latency, p50", "98.0 ms", "≤ 12 ms", "**missed**"] == rows(missed)[0]


def test_memory_is_judged_by_the_sum_of_what_the_processes_have() -> None:
    of_memory = [row[1:] for row in rows(FIGURES) if "MB" in row[1]]
    assert [["200 MB", "", ""], ["390 MB", "≤ 400 MB", "met"], ["310 MB", "", ""], ["290 / 230 MB", "", ""]] == of_memory


def test_a_process_alone_shares_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "print('there', flush=True); input()"], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        memory = resident(process)
        process.communicate(b"\n")
    assert memory.gateway == memory.all > 1_000_000
    assert memory.all == pytest.approx(memory.once, rel=0.1)  # the kernel is behind with one of them


def test_only_the_measured_part_of_the_page_is_written_anew() -> None:
    page = f"# Head\n\n{START}old\n{END}\ntail\n"
    once = written(page, rows(FIGURES))
    assert once.startswith(f"# Head\n\n{START}| ")
    assert once.endswith(f"{END}\ntail\n")
    assert "old" not in once


def test_the_page_has_a_place_for_what_is_measured() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert 0 < text.index(START) < text.index(END)


def test_the_gateways_configuration_is_one(tmp_path: Path) -> None:
    made = Config.model_validate(tomllib.loads(config(tmp_path, 8080)))
    assert ["rag", "routing"] == [layer.use for layer in made.layer][-2:]
