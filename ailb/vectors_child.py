"""The process that has Chroma in it, and what is said to it: frames over its pipes.

    python -m ailb.vectors_child            # asked by stdin, answers on stdout; the first frame says where Chroma is; ends with its stdin

Chroma's Rust code holds Python's lock while it adds: 5 rows for 30 ms, and now and then any for 400. In the gateway's process no thread
would keep that from everybody's streams. A process can also be killed when it hangs, and does not see the gateway's environment.
"""

import fcntl
import os
import signal
import struct
import sys
from array import array
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any, BinaryIO, Final

import orjson

from ailb import heap

HEAD: Final = struct.Struct("<II")
"""How many bytes of JSON follow, and how many of 32-bit floats after them."""

MOST_FRAME: Final = 64 * 1024 * 1024
THREADS: Final = 8
"""Requests to a Chroma server at a time. One folder is one thread's."""

Answer = Callable[[Mapping[str, Any], "array[float]"], Any]


def frame(said: Mapping[str, Any], numbers: bytes = b"") -> bytes:
    text = orjson.dumps(said)
    return HEAD.pack(len(text), len(numbers)) + text + numbers


def read(pipe: BinaryIO) -> tuple[dict[str, Any], "array[float]"] | None:
    """None at the end, also in the middle of a frame: whoever wrote it has died."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, size = HEAD.unpack(head)
    if length + size > MOST_FRAME:
        raise ValueError("a frame is too large")
    body = pipe.read(length + size)
    if len(body) < length + size:
        return None
    said: dict[str, Any] = orjson.loads(body[:length])
    return said, array("f", body[length:])


def answer_all(source: BinaryIO, sink: BinaryIO, open: Callable[[Mapping[str, Any]], tuple[Answer, int]]) -> None:
    """Until `source` ends. `{"id": ...}` is answered by `{"id": ..., "found": ...}`, or `"error"` where it failed.

    `open` makes of the first frame who answers the others, and how many of them at a time.
    """
    lock = Lock()

    def tell(id: int, work: Callable[[], Any]) -> bool:
        try:
            told: dict[str, Any] = {"id": id, "found": work()}
        # Whatever Chroma or its server raised, the gateway tells; this process lives on. Panics of Rust are no Exception.
        except BaseException as error:  # noqa: BLE001
            told = {"id": id, "error": f"{type(error).__name__}: {error}"[:500]}
        with lock:
            sink.write(frame(told))
            sink.flush()
        return "error" not in told

    made: list[tuple[Answer, int]] = []
    first = read(source)
    if first is None or not tell(first[0]["id"], lambda: made.append(open(first[0]))):
        return
    ((answer, threads),) = made
    with ThreadPoolExecutor(threads) as pool:
        while (got := read(source)) is not None:
            pool.submit(tell, got[0]["id"], partial(answer, *got))


def opened(told: Mapping[str, Any]) -> tuple[Answer, int]:
    """`{"folder": ...}` or `{"url": ..., "token": ...}`. Raises OSError for a folder that another process has."""
    if "url" in told:
        from ailb.vectors_chroma import Chroma, server  # it takes a second

        return Chroma(server(told["url"], told["token"])), THREADS
    os.makedirs(told["folder"], mode=0o700, exist_ok=True)
    _lock(os.path.join(told["folder"], "ailb.lock"))
    return _folder(told["folder"]), 1


def _folder(path: str) -> Answer:
    from ailb.vectors_folder import Folder, bindings  # only this process needs it

    known = bindings(path)
    return Folder(known) if known is not None else by_client(path)


def by_client(path: str) -> Answer:
    """The slow way, where the bindings are not the ones that are known."""
    from ailb.vectors_chroma import Chroma, folder

    return Chroma(folder(path))


def _lock(path: str) -> None:
    """To the end of the process, however it ends: a second process would see stale vectors."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OSError("another gateway has this folder") from None


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # they go to everybody at the terminal or in the unit, and the gateway drains first
        signal.signal(number, signal.SIG_IGN)
    heap.share(os.environ)
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    answer_all(sys.stdin.buffer, sink, opened)
    os._exit(0)  # Chroma's own threads are not waited for


if __name__ == "__main__":
    main()
