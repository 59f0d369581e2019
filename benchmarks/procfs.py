"""What the kernel says of a process and its children: CPU time, resident memory, and what they have open."""

import os
import resource
from contextlib import suppress
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time so far, of the process and its living children."""
    return sum(parse_cpu_ticks(_read(process, "stat")) for process in tree(pid)) * TICK


def resident_bytes(pid: int) -> int:
    """Resident memory of the process and its living children."""
    return sum(parse_resident_pages(_read(process, "statm")) for process in tree(pid)) * resource.getpagesize()


def descriptors(pid: int) -> list[str]:
    """What is open in the process and its living children, by the kernel's names, e.g. `socket:[4711]`."""
    found = []
    for process in tree(pid):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in between
                found.append(str(link.readlink()))
    return found


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for process in found:
        found += [int(child) for child in _read(process, f"task/{process}/children").split()]
    return found


def parse_cpu_ticks(stat: str) -> int:
    """Fields 14 and 15 of /proc/PID/stat; the second field, a name in brackets, may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def parse_resident_pages(statm: str) -> int:
    return int(statm.split()[1])


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()
