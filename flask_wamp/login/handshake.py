"""The HTTP request that opened a WAMP session, for Flask to look at again."""

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Self
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

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
#: Characters of a header that are kept; a longer one is left out.
MAX_HEADER: Final = 16_384
#: Middlewares that are looked through for what the application knows of its proxies.
MAX_MIDDLEWARES: Final = 100
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Handshake:
    """The request that opened a session's WebSocket.

    :ivar environ: its WSGI environ, as far as it is kept (:data:`KEPT`), strings alone, as a proxy's
        headers have been understood; without what browsers send along by themselves, cookies and
        the password of a page, where another site's page has sent it.
    """

    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_headers(
        cls,
        app: Flask,
        headers: Mapping[str, str],
        *,
        address: str = "",
        path: str = "/",
        secure: bool = False,
    ) -> Self:
        """Return the handshake that came with these *headers*, as *app* would see its request.

        :param headers: by their names in lower case, as Latin-1 reads them.
        :param address: of the peer, which may be a proxy: the application's own ``ProxyFix`` is
            asked who stands behind it.
        :param secure: the connection was encrypted.
        """
        environ: dict[str, Any] = {
            "HTTP_" + name.upper().replace("-", "_"): value
            for name, value in headers.items()
            if isinstance(value, str) and len(value) <= MAX_HEADER and "_" not in name
        }
        environ["REMOTE_ADDR"] = address
        environ["PATH_INFO"] = path
        environ["wsgi.url_scheme"] = "https" if secure else "http"
        for fix in _proxy_fixes(app):
            fix(environ, lambda *_args: lambda _data: None)
        kept: dict[str, str] = {key: str(environ[key]) for key in KEPT if key in environ}
        if "origin" in headers and not is_own_origin(headers["origin"], kept):
            # Browsers send them along with the WebSocket of any page.
            return cls(kept).without_cookies()
        return cls(kept)

    def without_cookies(self) -> Self:
        """Return the handshake with nothing in it that a browser sends along by itself."""
        kept = {
            key: value
            for key, value in self.environ.items()
            if key not in ("HTTP_COOKIE", "HTTP_AUTHORIZATION")
        }
        return type(self)(kept)

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


def is_own_origin(origin: str, environ: Mapping[str, str]) -> bool:
    """Tell whether *origin* is the page's own: of the same scheme, host and port."""
    page = f"{environ.get('wsgi.url_scheme')}://{environ.get('HTTP_HOST', '')}"
    own = _site(page)
    return own is not None and _site(origin) == own


def _site(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of *url*, or None where it has no host."""
    try:
        parts = urlsplit(url)
        # Clients that are no browser name the WebSocket itself.
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        port = parts.port or _PORTS[scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or "@" in parts.netloc:
        return None
    return scheme, parts.hostname, port


def _proxy_fixes(app: Flask) -> list[ProxyFix]:
    """Return copies of the ``ProxyFix`` middlewares of *app*, the outermost first."""
    found = []
    middleware: Any = app.wsgi_app
    for _ in range(MAX_MIDDLEWARES):
        if isinstance(middleware, ProxyFix):
            fix = copy.copy(middleware)
            fix.app = lambda _environ, _start: []
            found.append(fix)
        # What most middlewares call that which they stand around.
        middleware = getattr(middleware, "app", None) or getattr(middleware, "wsgi_app", None)
        if middleware is None or isinstance(middleware, Flask):
            break
    return found
