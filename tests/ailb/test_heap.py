import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from ailb.heap import give_back

ROOT = Path(__file__).resolve().parents[2]
THREADS = """
import ctypes, sys
from threading import Barrier, Thread
from ailb.heap import share

share({ENVIRON})
meet = Barrier(4)

def work():
    kept = [bytes(1000) for _ in range(100)]
    meet.wait()

threads = [Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this is no glibc")
@pytest.mark.parametrize(("environ", "one"), [({}, True), ({"MALLOC_ARENA_MAX": "4"}, False)])
def test_threads_share_a_heap_unless_somebody_wants_more(environ: dict[str, str], one: bool) -> None:
    told = THREADS.replace("{ENVIRON}", repr(environ))
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, cwd=ROOT, check=True)
    heaps = [line for line in ran.stderr.splitlines() if line.startswith("Arena")]
    assert one is (len(heaps) == 1)


def test_giving_back_is_no_error_anywhere() -> None:
    give_back()
