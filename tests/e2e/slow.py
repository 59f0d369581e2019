"""A way to a server that takes its time."""

import asyncio
import threading
from contextlib import suppress
from typing import Self


class Slow:
    """`with Slow(port)`: what is sent to its `port` goes there, and each answer comes back `seconds` later."""

    def __init__(self, to: int) -> None:
        self.seconds = 0.0
        self.answers = 0
        self.port = 0
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)

    async def _relay(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await asyncio.gather(self._copy(near_in, far_out, late=False), self._copy(far_in, near_out, late=True))
        finally:
            far_out.transport.abort()
            near_out.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if late:
                    self.answers += 1
                    await asyncio.sleep(self.seconds)
                writer.write(data)
                await writer.drain()
            writer.close()
