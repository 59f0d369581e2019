"""Files of /proc, and this very process."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE

import pytest

from benchmarks import procfs

STAT = "4242 ({name}) S 1 4242 4242 0 -1 4194304 1500 0 3 0 {user} {system} 900 800 20 0 7 0 123456 99999999 2048 1844674407"


@pytest.mark.parametrize("name", ["python", "a (very) odd ) name", ") S 1 2 3", ""])
def test_cpu_ticks_are_user_and_system_time_whatever_the_name(name: str) -> None:
    assert procfs.parse_cpu_ticks(STAT.format(name=name, user=321, system=45)) == 366


def test_resident_pages_are_the_second_field() -> None:
    assert procfs.parse_resident_pages("20480 5120 1024 700 0 4096 0\n") == 5120


def test_this_process_has_memory_and_has_worked() -> None:
    assert procfs.resident_bytes(os.getpid()) > 1_000_000
    assert procfs.cpu_seconds(os.getpid()) > 0


MAPS = """\
55d0c4a00000-55d0c4a02000 r--p 00001000 fd:01 131                        /usr/bin/a name (deleted)
55d0c5b00000-55d0c5b21000 rw-p 00000000 00:00 0                          [heap]
7f1c9a000000-7f1c9a001000 r-xp 00002000 fd:01 132
"""


def test_mappings_of_files_are_told_by_inode_whatever_their_names() -> None:
    first, second = procfs.parse_maps(MAPS.splitlines())
    assert (0x55D0C4A00000, 0x55D0C4A02000, "fd:01 131", 0x1000) == first
    assert (0x7F1C9A000000, 0x7F1C9A001000, "fd:01 132", 0x2000) == second


def test_anonymous_memory_is_told_in_kilobytes() -> None:
    assert 3 * 1024 == procfs.parse_anonymous("Rss: 9 kB\nAnonymous:   3 kB\nLazyFree: 0 kB\n")


def test_what_two_processes_have_of_the_same_file_counts_once() -> None:
    """The interpreter's pages are in both, and what each has for itself is not: so it is more than one of them, and less than their sum."""
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', TOLD])"
    told = "import sys; print('there', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", again.replace("TOLD", repr(told))], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        one, other = procfs.tree(process.pid)
        once, alone = procfs.shared_bytes(one), procfs.shared_bytes(other)
        twice = procfs.resident_bytes(one)
        process.communicate()
    assert alone < once < twice


def test_the_tree_has_the_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert {os.getpid(), process.pid} <= set(procfs.tree(os.getpid()))


def test_the_tree_has_the_children_of_every_thread() -> None:
    """Linux keeps them by the thread that started them, as long as it lives."""
    with ThreadPoolExecutor(1) as thread:
        child = thread.submit(subprocess.Popen, [sys.executable, "-c", "input()"], stdin=PIPE).result()
        assert child.pid in procfs.tree(os.getpid())
        child.communicate()


def test_what_is_open_has_the_kernels_names() -> None:
    with socket.socket() as one:
        names = procfs.descriptors(os.getpid())
        assert f"socket:[{os.fstat(one.fileno()).st_ino}]" in names
