"""Nothing that is started outlives its block."""

import signal
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks.children import child, tail

READY = "print('ready', flush=True); import signal; signal.pause()"


def test_a_child_ends_with_its_block(tmp_path: Path) -> None:
    with child([sys.executable, "-c", READY], tmp_path, tmp_path / "log") as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM


def test_a_child_ends_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(LookupError), child([sys.executable, "-c", READY], tmp_path, tmp_path / "log") as process:
        raise LookupError
    assert process.returncode is not None


def test_a_child_that_ended_by_itself_keeps_its_exit_code(tmp_path: Path) -> None:
    with child([sys.executable, "-c", "print('said'); raise SystemExit(3)"], tmp_path, tmp_path / "log") as process:
        process.wait(10)
    assert process.returncode == 3
    assert tail(tmp_path / "log") == "said"


def test_a_child_that_will_not_go_is_made_to(tmp_path: Path) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"
    with child([sys.executable, "-c", deaf], tmp_path, tmp_path / "log") as process:
        deadline = monotonic() + 10
        while not tail(tmp_path / "log") and monotonic() < deadline:
            sleep(0.01)
    assert process.returncode == -signal.SIGKILL
