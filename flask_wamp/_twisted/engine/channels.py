"""How requests come in over HTTP: how much of one, how fast, and none that is refused.

Twisted 26.10.0, ``twisted/web/http.py`` and ``twisted/web/server.py``: an ``HTTPChannel`` takes bodies of any size, into
memory or a temporary file, before a resource sees the request; its timeout begins anew with each byte that comes,
so one byte in 29 seconds keeps a connection for ever; and it reads forms, on the reactor's thread, that a WSGI
application reads again. There are settings for none of it, so methods are overridden that are
public by their names and "not intended for users".
Crossbar.io 26.10.1, ``crossbar/common/twisted/web.py``, makes a ``Site`` for each web transport, without a way
to say which channel it has; its class attribute ``protocol`` is Twisted's for that. HTTP/2 is another channel, which would
have none of these limits, so it is not offered. The module can go once Crossbar.io limits what it
reads; ``tests/node/test_intake.py`` tells where a name has changed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

#: Seconds from the first byte of a request to the end of its head.
HEAD_SECONDS = 20.0
#: Seconds that a body may take, and the bytes that make it one second more.
BODY_SECONDS, BODY_RATE = 20.0, 4096
#: Headers of one request; Twisted limits their bytes to 16 KiB, the request's line included.
MAX_HEADERS = 100
#: Seconds in which what a refused request still sends is thrown away, so that its client reads why.
LINGER_SECONDS = 2.0


@dataclass(frozen=True)
class Refusal:
    """Why a request is answered by no resource.

    :ivar status: code and phrase, as in ``413 Content Too Large``.
    :ivar text: what its client reads.
    """

    status: str
    text: str


@dataclass(frozen=True)
class Head:
    """What is known of a request before its body comes.

    :ivar hosts: its Host headers.
    :ivar length: bytes of the body; None where it says so itself, chunk by chunk.
    :ivar address: the address of this machine that it came to; empty on a Unix socket.
    """

    hosts: tuple[str, ...]
    length: int | None
    address: str


#: Decides about a request by its head, and how many bytes its body may have.
Judge = Callable[[Head], Refusal | None]

#: The connections by which an accepted request still comes.
_coming: "set[Channel]" = set()

TOO_LARGE = Refusal("413 Content Too Large", "The body of the request is too large.")
TOO_LONG = Refusal("431 Request Header Fields Too Large", "A line of the request is too long.")
TOO_SLOW = Refusal("408 Request Timeout", "The request took too long.")


class Channel(HTTPChannel):
    """A connection that requests come in by.

    :param judge: says which are refused.
    :param max_body: bytes that a body may have.
    """

    transport: Any
    callLater: Any
    maxHeaders = MAX_HEADERS

    def __init__(self, judge: Judge, max_body: int) -> None:
        HTTPChannel.__init__(self)
        self._judge = judge
        self._max_body = max_body
        self._timer: Any = None
        self._waits = True
        self._refused = False
        self._taken = 0
        self._began = 0.0

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; the first of a request start its time."""
        if self._waits:
            self._waits = False
            self._within(HEAD_SECONDS, self._too_slow)
        HTTPChannel.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a request's head."""
        if not self._refused:
            HTTPChannel.lineReceived(self, line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse an endless line."""
        self.refuse(TOO_LONG)

    def rawDataReceived(self, data: bytes) -> None:
        """Take a part of a request's body."""
        if not self._refused:
            HTTPChannel.rawDataReceived(self, data)

    def allHeadersReceived(self) -> None:
        """Let the request be judged, and its body come."""
        request = self.requests[-1]
        refusal = self._judge(self._head_of(request))
        if refusal is None and (self.length or 0) > self._max_body:
            refusal = TOO_LARGE
        if refusal is not None:
            # Before Twisted asks for the body.
            request.requestHeaders.removeHeader(b"expect")
        HTTPChannel.allHeadersReceived(self)
        if refusal is not None:
            self.refuse(refusal)
            return
        _coming.add(self)
        self._taken, self._began = 0, self.factory.reactor.seconds()
        self._within(BODY_SECONDS, self._look_at_body)

    def takes(self, count: int) -> bool:
        """Tell whether the body may have so many bytes more."""
        self._taken += count
        if self._taken > self._max_body:
            self.refuse(TOO_LARGE)
        return not self._refused

    def allContentReceived(self) -> None:
        """Let the request be answered."""
        _coming.discard(self)
        if not self._refused:
            self._within(None)
            HTTPChannel.allContentReceived(self)

    def requestDone(self, request: Any) -> None:
        """Wait for the next request."""
        self._waits = True
        HTTPChannel.requestDone(self, request)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Forget the connection."""
        _coming.discard(self)
        self._within(None)
        HTTPChannel.connectionLost(self, reason)

    def refuse(self, refusal: Refusal) -> None:
        """Answer here, throw away what still comes, and end the connection."""
        if self._refused:
            return
        _coming.discard(self)
        self._refused = True
        HTTPChannel.setTimeout(self, None)
        body = refusal.text.encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (refusal.status.encode(), len(body), body)
        )
        self._within(LINGER_SECONDS, self._abort)

    def _head_of(self, request: Any) -> Head:
        hosts = request.requestHeaders.getRawHeaders(b"host") or ()
        return Head(
            tuple(host.decode("latin-1") for host in hosts),
            self.length,
            str(getattr(self.transport.getHost(), "host", "")),
        )

    def _within(self, seconds: float | None, late: Callable[[], None] | None = None) -> None:
        """Do *late* in some seconds, instead of what was to be done by now."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None if seconds is None else self.callLater(seconds, late)

    def _too_slow(self) -> None:
        self.refuse(TOO_SLOW)

    def _look_at_body(self) -> None:
        """Give a body more time where it comes quickly enough."""
        due = self._began + BODY_SECONDS + self._taken / BODY_RATE
        left = due - self.factory.reactor.seconds()
        if left > 0:
            self._within(math.ceil(left), self._look_at_body)
        else:
            self._too_slow()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()


class BoundedRequest(Request):
    """A request whose body is counted while it comes, and left to the application to read."""

    channel: Any

    def __init__(self, channel: Any, *args: Any, **kwargs: Any) -> None:
        Request.__init__(self, channel, *args, **{**kwargs, "parsePOSTFormSubmission": False})

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body."""
        if self.channel.takes(len(data)):
            Request.handleContentChunk(self, data)


def coming() -> int:
    """Return how many accepted requests still come in, over all connections of the process."""
    return len(_coming)


def guard_sites(judge: Judge, max_body: int) -> None:
    """Let every web transport of this process that has yet to start take requests in this way."""

    def channel() -> Channel:
        return Channel(judge, max_body)

    # There in a worker, and nowhere else.
    from crossbar.common.twisted.web import Site

    sites: Any = Site
    sites.protocol = staticmethod(channel)
    sites.requestFactory = BoundedRequest
    sites.acceptableProtocols = lambda _site: [b"http/1.1"]
