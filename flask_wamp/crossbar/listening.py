"""What the process listens on."""

import contextlib
import ctypes
import socket
import struct
from ipaddress import ip_address
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.protocols.tls import TLSMemoryBIOFactory

#: Linux's option for a filter of what comes to a socket, and one that lets nothing pass (socket(7)).
SO_ATTACH_FILTER = 26
NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


def addresses(reactor: Any) -> list[IPv4Address | IPv6Address | UNIXAddress]:
    """Return the addresses that this process listens on, Unix sockets included."""
    return [reader.getHost() for reader in reactor.getReaders() if isinstance(reader, tcp.Port)]


def stop_listening(reactor: Any) -> None:
    """Take no further connections but over Unix sockets, which the node's own processes use."""
    for reader in reactor.getReaders():
        if isinstance(reader, tcp.Port) and not isinstance(reader.getHost(), UNIXAddress):
            # Who has connected, and waits for that to be noticed, is answered; closing would reset him.
            # It comes a turn later, so that who asks to connect meanwhile is not heard before that.
            _let_nobody_connect(reader.socket)
            reader.numberAccepts = reader.backlog + 1
            reader.doRead()
            reader.stopListening()


def _let_nobody_connect(listening: socket.socket) -> None:
    program = ctypes.create_string_buffer(NOTHING)
    filter_ = struct.pack("HP", 1, ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)


def pages(reactor: Any, name: str) -> list[str]:
    """Return the URLs of the TCP ports that this process listens on, those with TLS first.

    :param name: the host where a port is on every interface.
    """
    ports = [reader for reader in reactor.getReaders() if isinstance(reader, tcp.Port)]
    found = [
        page_at(address, "https" if _has_tls(port.factory) else "http", name)
        for port in ports
        if isinstance(address := port.getHost(), IPv4Address | IPv6Address)
    ]
    return sorted(found, key=lambda url: not url.startswith("https:"))


def _has_tls(factory: Any) -> bool:
    """Tell whether one of the factories that stand around each other adds TLS."""
    while factory is not None and not isinstance(factory, TLSMemoryBIOFactory):
        factory = getattr(factory, "wrappedFactory", None)
    return factory is not None


def page_at(address: IPv4Address | IPv6Address, scheme: str, name: str) -> str:
    """Return the URL of an address, under *name* where that is every interface."""
    host = name if ip_address(address.host).is_unspecified else address.host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}/"
