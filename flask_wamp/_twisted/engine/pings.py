"""WebSocket pings that the predecessor's peers survive.

Autobahn 26.10.2 makes the payload of a ping of bytes that are no text
(``autobahn/websocket/protocol.py``, ``_sendAutoPing``); RFC 6455, 5.5.2, lets it. The Python wampy, 1.1.0
and before, takes every ping for UTF-8, and reads nothing any more after one that is not: its callers
hang, after ``auto_ping_interval``. Autobahn's payloads were text when it was written. This can go when
they are again; ``tests/node/test_pings.py`` fails without it.
"""

import base64
import os
from typing import Any

from crossbar.router.protocol import WampWebSocketServerProtocol


def ping_in_text() -> None:
    """Let the WebSocket transports of this process ask their peers in ASCII."""
    protocol: Any = WampWebSocketServerProtocol
    send_any = protocol.sendPing
    if getattr(send_any, "in_text", False):
        return

    def send(self: Any, payload: bytes | None = None) -> None:
        pending: bytes | None = getattr(self, "autoPingPending", None)
        # What Autobahn awaits is compared as it is; the times that it reads from it nobody uses.
        if pending is not None and payload is pending:
            size = len(pending)
            payload = self.autoPingPending = base64.b64encode(os.urandom(size))[:size]
        send_any(self, payload)

    send.in_text = True  # type: ignore[attr-defined]
    protocol.sendPing = send
