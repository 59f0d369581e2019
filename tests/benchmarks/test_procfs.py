"""Files of /proc, and this very process."""

import os
import socket
import subprocess
import sys

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


def test_the_tree_has_the_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert {os.getpid(), process.pid} <= set(procfs.tree(os.getpid()))


def test_what_is_open_has_the_kernels_names() -> None:
    with socket.socket() as one:
        names = procfs.descriptors(os.getpid())
        assert f"socket:[{os.fstat(one.fileno()).st_ino}]" in names
