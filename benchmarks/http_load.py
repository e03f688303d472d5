"""HTTP load over connections that stay open where the server lets them, on asyncio's event loop."""

import asyncio
import time
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

CONNECTIONS = 16
REQUESTS = 3000


class _Connection:
    """A connection, opened again after each response where the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[StreamReader, StreamWriter] | None = None

    async def ask(self, request: bytes) -> None:
        """Send a request, and take the response."""
        kept = self._streams is not None
        try:
            await self._ask(request)
        except (asyncio.IncompleteReadError, ConnectionError):
            if not kept:
                raise
            # It has closed what it had kept.
            await self.close()
            await self._ask(request)

    async def _ask(self, request: bytes) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in head.lower() or head.startswith(b"HTTP/1.0"):
            await self.close()

    async def close(self) -> None:
        """Close the connection, if it is open."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(ConnectionError):
                await streams[1].wait_closed()


async def _client(port: int, request: bytes, count: int) -> None:
    connection = _Connection(port)
    try:
        for _ in range(count):
            await connection.ask(request)
    finally:
        await connection.close()


async def _load(port: int, path: str) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    begin = time.perf_counter()
    share = REQUESTS // CONNECTIONS
    await asyncio.gather(*(_client(port, request, share) for _ in range(CONNECTIONS)))
    return share * CONNECTIONS / (time.perf_counter() - begin)


def requests_per_second(port: int, path: str) -> float:
    """Return the requests per second of *path* on 127.0.0.1."""
    return asyncio.run(_load(port, path))
