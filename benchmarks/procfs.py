"""What the kernel says of a process and its children: CPU time, resident memory, and what they have open."""

import os
import resource
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
PRESENT, OF_A_FILE = 1 << 63, 1 << 61
"""In an entry of /proc/PID/pagemap (https://docs.kernel.org/admin-guide/mm/pagemap.html)."""

FilePage = tuple[str, int]
"""The file's device and inode, and which page of it."""


def cpu_seconds(pid: int) -> float:
    """User and system time so far, of the process and its living children."""
    return sum(parse_cpu_ticks(_read(process, "stat")) for process in tree(pid)) * TICK


def resident_bytes(pid: int) -> int:
    """Resident memory of the process and its living children."""
    return sum(parse_resident_pages(_read(process, "statm")) for process in tree(pid)) * resource.getpagesize()


def shared_bytes(pid: int) -> int:
    """The same with each page of a file counted once, in however many of these processes it is.

    Unlike a sum of Pss it does not become less where others have the same file mapped.
    """
    processes = tree(pid)
    own = sum(parse_anonymous(_read(process, "smaps_rollup")) for process in processes)
    return own + len({page for process in processes for page in _file_pages(process)}) * resource.getpagesize()


def _file_pages(pid: int) -> Iterator[FilePage]:
    """Those that the process has in memory, but for what it has changed of them: that is its own."""
    size = resource.getpagesize()
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as entries:
        for start, end, file, offset in parse_maps(_read(pid, "maps").splitlines()):
            entries.seek(start // size * 8)
            flags = array("Q", entries.read((end - start) // size * 8))
            yield from ((file, offset // size + place) for place, flag in enumerate(flags) if flag & PRESENT and flag & OF_A_FILE)


def descriptors(pid: int) -> list[str]:
    """What is open in the process and its living children, by the kernel's names, e.g. `socket:[4711]`."""
    found = []
    for process in tree(pid):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in between
                found.append(str(link.readlink()))
    return found


def tree(pid: int) -> list[int]:
    """The process and all that descend from it, whichever thread has started them."""
    found = [pid]
    for process in found:
        with suppress(FileNotFoundError, ProcessLookupError):  # ended in between
            for thread in Path(f"/proc/{process}/task").iterdir():
                children = [int(child) for child in (thread / "children").read_text().split()]
                found += [child for child in children if child not in found]
    return found


def parse_cpu_ticks(stat: str) -> int:
    """Fields 14 and 15 of /proc/PID/stat; the second field, a name in brackets, may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def parse_resident_pages(statm: str) -> int:
    return int(statm.split()[1])


def parse_anonymous(smaps: str) -> int:
    """Bytes that no file has."""
    return sum(int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Anonymous:")) * 1024


def parse_maps(lines: Iterable[str]) -> Iterator[tuple[int, int, str, int]]:
    """Start, end, file and the offset in it, of each mapping that is of a file."""
    for line in lines:
        addresses, _, offset, device, inode = line.split()[:5]
        if inode != "0":
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16), f"{device} {inode}", int(offset, 16)


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()
