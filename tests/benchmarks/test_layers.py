import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.layers import AT_ONCE, USAGE, measured

REQUESTS = 2 * AT_ONCE


async def test_each_layer_is_measured_and_every_request_is_paid_for_on_disk(tmp_path: Path) -> None:
    assert ["auth", "ratelimit", "budget"] == list(await measured(tmp_path, 1, REQUESTS))
    with closing(sqlite3.connect(tmp_path / "ailb.db")) as database:
        entries = database.execute("SELECT count(*), sum(input), sum(output), sum(nanos) FROM entries").fetchone()
        counters = database.execute("SELECT spent_nanos, held_nanos FROM counters").fetchone()
    each = USAGE.input * 2500 + USAGE.output * 10_000
    assert (REQUESTS, REQUESTS * USAGE.input, REQUESTS * USAGE.output, REQUESTS * each) == entries
    assert (REQUESTS * each, 0) == counters
