"""The disk under a SQLite store fills up (FAULTS D9): nothing goes out unbilled or is written by halves, and it recovers by itself."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.paying import audited, becomes, new_key, rows, settled, started, written
from tests.e2e.scripts import held, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, said


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("no small disk: only root can mount one")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Takes all that is left, by a file."""
    filler = folder / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def test_on_a_full_disk_a_gateway_refuses_and_comes_back(engine: str, upstream: Upstream, disk: Path, tmp_path: Path) -> None:
    file = written(engine, upstream, tmp_path, f"sqlite+aiosqlite:///{disk}/ailb.db")
    gate, model = upstream.flag(), upstream.on(hello)
    with started(file) as gateway, gateway.client() as client:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        headers = {"authorization": f"Bearer {secret}"}
        assert gateway.chat(model, headers=headers).status == 200
        client.post(asked(upstream.on(held(gate, " last")), stream=True, max_tokens=10), headers=headers).head()
        client.until(b"first")
        filler, since = fill(disk), len(gateway.lines)
        refused = [gateway.chat(model, stream=stream, headers=headers) for stream in (False, True) * 5]
        assert [503] * 10 == [answer.status for answer in refused]
        assert b"disk" not in b"".join(answer.body for answer in refused)
        assert len(upstream.calls(model)) == 1
        assert "disk is full" in gateway.line_with('"store failed"', since=since)
        becomes(gateway, 503)
        gate.set()
        b"".join(client.chunks())
        assert said(client.read) == "first last"
        filler.unlink()
        becomes(gateway, 200)
        assert gateway.chat(model, headers=headers).status == 200
        standing, found = settled(gateway, id), rows(gateway, id)
        assert Counter(row["status"] for row in found) == {"complete": 3}
        assert standing["current_spend"] == pytest.approx(sum(row["cost"] for row in found))
    assert "differences" in audited(file)
