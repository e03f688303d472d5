"""Where routers listen: URLs, taken apart."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

DEFAULT_URL = "ws://localhost:8080/ws"
DEFAULT_PORTS = {"ws": 80, "wss": 443}
#: Routers of one configuration.
MAX_URLS = 16

URL_REMEDY = (
    "use ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, rs://HOST:PORT, rss://HOST:PORT, "
    "unix:/path/to/router.sock or ws+unix:/path/to/router.sock:/PATH"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a router listens.

    :ivar websocket: WebSocket, else RawSocket.
    :ivar path: the Unix socket's path, None for TCP.
    :ivar resource: what is asked for behind a Unix socket that speaks WebSocket, ``/ws``.
    """

    url: str
    websocket: bool
    tls: bool = False
    host: str = ""
    port: int = 0
    path: str | None = None
    resource: str = ""

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return the address that *url* names.

        :raises ValueError: the URL has an unknown scheme, no host, or no port where one is needed.
        """
        parts = urlsplit(url)
        if parts.scheme in ("unix", "ws+unix"):
            path, resource = parts.netloc + parts.path, ""
            websocket = parts.scheme == "ws+unix"
            if websocket:
                path, _, resource = path.partition(":")
                resource += f"?{parts.query}" if parts.query else ""
            if not path:
                raise ValueError("no path")
            return cls(url, websocket=websocket, path=path, resource=resource)
        if parts.scheme not in ("ws", "wss", "rs", "rss"):
            raise ValueError("unknown scheme")
        try:
            port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            # Its text quotes what may be part of a password.
            raise ValueError("the port is not a number from 1 to 65535") from None
        if not parts.hostname or not port:
            raise ValueError("no host or no port")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("user names, passwords and fragments have no place here")
        return cls(
            url,
            websocket=parts.scheme.startswith("ws"),
            tls=parts.scheme.endswith("ss"),
            host=parts.hostname,
            port=port,
        )

    @property
    def is_exposed(self) -> bool:
        """Whether others could read on the way: neither encrypted nor on this machine."""
        if self.path is not None or self.tls or self.host == "localhost":
            return False
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return True

    @property
    def websocket_url(self) -> str:
        """The URL of the WebSocket handshake, which has a host in any case (RFC 6455, 4.1)."""
        return self.url if self.path is None else f"ws://localhost{self.resource or '/'}"


def urls_in(value: Any) -> list[str]:
    """Return the URLs in *value*: one, several with commas between them, or a list.

    :raises ValueError: it is none of these.
    """
    urls = [url.strip() for url in value.split(",")] if isinstance(value, str) else value
    if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
        raise ValueError("neither a text nor a list of texts")
    if not 0 < len(urls) <= MAX_URLS:
        raise ValueError(f"give from 1 to {MAX_URLS} URLs")
    return list(urls)
