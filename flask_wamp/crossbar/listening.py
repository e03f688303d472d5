"""What the process listens on."""

from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress


def addresses(reactor: Any) -> list[IPv4Address | IPv6Address | UNIXAddress]:
    """Return the addresses that this process listens on, Unix sockets included."""
    return [reader.getHost() for reader in reactor.getReaders() if isinstance(reader, tcp.Port)]


def pages(reactor: Any) -> list[str]:
    """Return the URLs of the TCP ports that this process listens on."""
    return [
        _page_at(address)
        for address in addresses(reactor)
        if isinstance(address, IPv4Address | IPv6Address)
    ]


def _page_at(address: IPv4Address | IPv6Address) -> str:
    host = address.host if address.host not in ("0.0.0.0", "::") else "localhost"  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{address.port}/"
