"""The HTTP request that opened a WAMP session, for Flask to look at again."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

#: What of a request's environ is kept: who asks, from where, and with which proof.
KEPT: Final = (
    "REMOTE_ADDR",
    "PATH_INFO",
    "wsgi.url_scheme",
    "HTTP_HOST",
    "HTTP_COOKIE",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION",
    "HTTP_ORIGIN",
)


@dataclass(frozen=True, slots=True)
class Handshake:
    """The request that opened a session's WebSocket.

    :ivar environ: its WSGI environ, as far as it is kept (:data:`KEPT`), strings alone, as a proxy's
        headers have been understood; without cookies where another site's page has sent it.
    """

    environ: Mapping[str, str] = field(repr=False)

    def request_environ(self, **other: Any) -> dict[str, Any]:
        """Return a whole WSGI environ, of a GET without a body.

        :param other: keys in their environ spelling, which replace those of the handshake.
        """
        host = self.environ.get("HTTP_HOST", "localhost")
        secure = self.environ.get("wsgi.url_scheme") == "https"
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": host.partition(":")[0],
            "SERVER_PORT": host.partition(":")[2] or ("443" if secure else "80"),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": host,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **self.environ,
            **other,
        }
