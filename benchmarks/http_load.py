"""HTTP load over connections that stay open, on the event loop of asyncio."""

import asyncio
import time

CONNECTIONS = 16
REQUESTS = 3000


async def _client(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for _ in range(count):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
    finally:
        writer.close()
        await writer.wait_closed()


async def _load(port: int, path: str) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    begin = time.perf_counter()
    share = REQUESTS // CONNECTIONS
    await asyncio.gather(*(_client(port, request, share) for _ in range(CONNECTIONS)))
    return share * CONNECTIONS / (time.perf_counter() - begin)


def requests_per_second(port: int, path: str) -> float:
    """Return the requests per second of *path* on 127.0.0.1."""
    return asyncio.run(_load(port, path))
