import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ailb.heap import full

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


MAPS = """\
55d0c0a00000-55d0c0e00000 rw-p 00000000 00:00 0                          [heap]
Size:               4096 kB
Rss:                3900 kB
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
Size:               4096 kB
KernelPageSize:        4 kB
Rss:                4096 kB
Pss:                4096 kB
7f1000000000-7f1000800000 rw-p 00000000 00:00 0
Rss:                  12 kB
7f2000000000-7f2000400000 r-xp 00001000 fe:00 311                        /usr/lib/libpython3.11.so.1.0
Rss:                4096 kB
7f3000000000-7f3000400000 rw-s 00000000 00:01 99                         /dev/zero (deleted)
Rss:                4096 kB
7f4000000000-7f4000400000 rw-p 00000000 00:00 0                          [stack]
Rss:                4096 kB
7f5000000000-7f5000400000 ---p 00000000 00:00 0
Rss:                4096 kB
"""


def test_only_what_is_full_and_the_process_s_own_is_worth_large_pages() -> None:
    assert [(0x55D0C0A00000, 0x55D0C0E00000), (0x7F0000000000, 0x7F0000400000)] == list(full(MAPS))


WIDE = """
import re
from pathlib import Path
from ailb.heap import LARGE, widen

def large():
    return int(re.search(r"AnonHugePages: +(\\d+) kB", Path("/proc/self/smaps_rollup").read_text())[1]) * 1024

kept = b"x" * (16 * LARGE)
before = large()
widen()
print((large() - before) // LARGE, kept == b"x" * len(kept))
"""


def linux() -> tuple[int, ...]:
    return tuple(map(int, platform.release().split(".")[:2])) if sys.platform == "linux" else ()


def given(path: str = "/sys/kernel/mm/transparent_hugepage/enabled") -> bool:
    return Path(path).exists() and "[never]" not in Path(path).read_text()


@pytest.mark.skipif(linux() < (6, 1) or not given(), reason="this system makes no large pages for who asks")
def test_what_is_held_goes_into_large_pages() -> None:
    ran = subprocess.run([sys.executable, "-c", WIDE], capture_output=True, text=True, cwd=ROOT, check=True)
    pages, same = ran.stdout.split()
    assert same == "True"
    assert int(pages) >= 1
