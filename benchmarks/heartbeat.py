"""How late a gateway's event loop is, which nobody can see from outside: ASGI middleware for `[server].middleware`."""

import asyncio
import os
import time
from array import array
from contextlib import suppress
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/heartbeat"
BEAT_SECONDS = 0.002
SCHEDULED: Final = Path("/proc/thread-self/schedstat")
"""Of a thread: nanoseconds on a processor, nanoseconds of waiting for one, and how often."""


class Heartbeat:
    """`GET /heartbeat` answers how late each beat was since it was asked before, and how much of that was the process's own doing at most,
    in milliseconds. All else goes on to the gateway.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._late = array("d")  # a number takes 8 bytes, which the gateway's memory is measured with
        self._beating: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != PATH:
            await self._app(scope, receive, send)
            return
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        late, self._late = self._late, array("d")
        beats = ",".join(f"[{all * 1000:.3f},{own * 1000:.3f}]" for all, own in zip(late[::2], late[1::2], strict=True))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": f"[{beats}]".encode()})

    async def _beat(self) -> None:
        """Until the loop ends.

        Its own doing is not what the loop's thread waited for a processor, and no more than all threads together worked: one that had
        Python's lock may have waited for a processor too.
        """
        loop = asyncio.get_running_loop()
        with Waited() as waited:
            while True:
                due, worked, before = loop.time() + BEAT_SECONDS, time.process_time(), waited()
                await asyncio.sleep(BEAT_SECONDS)
                late = loop.time() - due
                self._late.extend((late, max(0.0, min(late - (waited() - before), time.process_time() - worked))))


class Waited:
    """Seconds that this thread has waited for a processor so far; always 0 where the system does not tell."""

    def __init__(self) -> None:
        self._file = -1

    def __enter__(self) -> "Waited":
        with suppress(OSError):
            self._file = os.open(SCHEDULED, os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)

    def __call__(self) -> float:
        if self._file < 0:
            return 0.0
        return int(os.pread(self._file, 100, 0).split()[1]) / 1e9
