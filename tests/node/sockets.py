"""Connections without a client behind them, which do as a test likes."""

import base64
import os
import socket

from flask_wamp.node import CrossbarNode

from .support import LIMIT, RawPeer


def peer_from(source: str, url: str) -> RawPeer:
    """Return a client that connects from *source*, one of this machine's addresses."""

    class Placed(RawPeer):
        pass

    Placed.source = source
    return Placed(url)


def tcp(node: CrossbarNode) -> socket.socket:
    """Return a connection to the node's page on which nothing is said."""
    port = int(node.url.rstrip("/").rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT)


def websocket(node: CrossbarNode, path: str) -> socket.socket:
    """Return a WebSocket connection that answers nothing."""
    connection = tcp(node)
    upgrade(connection, path)
    upgraded(connection)
    return connection


def upgrade(connection: socket.socket, path: str, *headers: str) -> None:
    """Ask for a WebSocket connection."""
    host, port = connection.getpeername()
    key = base64.b64encode(os.urandom(16)).decode()
    more = "".join(f"{header}\r\n" for header in headers)
    connection.sendall(
        f"GET /{path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: wamp.2.json\r\n{more}\r\n".encode()
    )


def upgraded(connection: socket.socket) -> None:
    """Wait until the connection is a WebSocket's."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(4096)
    assert b" 101 " in answer


def text_frame(payload: bytes) -> bytes:
    """Return a masked text frame of less than 126 bytes; its mask changes nothing."""
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload


def frame(kind: int, payload: bytes) -> bytes:
    """Return a masked frame that begins with the byte *kind*; its mask changes nothing."""
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else b"\xff" + size.to_bytes(8)
    return bytes([kind]) + head + bytes(4) + payload


def read_to_end(connection: socket.socket) -> bytes:
    """Return what comes until the other side has closed."""
    data = b""
    try:
        while part := connection.recv(4096):
            data += part
    except ConnectionResetError:
        pass
    return data
