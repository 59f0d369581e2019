import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

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


HOLES = """
import resource
from pathlib import Path
from ailb.heap import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

kept = [bytearray(100_000) for _ in range(1000)]
del kept[:-1]  # the last one keeps all before it from being given back
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this is no glibc")
def test_what_is_free_is_given_back() -> None:
    ran = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, cwd=ROOT, check=True)
    assert int(ran.stdout) > 50_000_000
