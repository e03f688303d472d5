"""Asking a node over HTTP how it is, on the machine that it runs on or from another one."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .command import NodeError
from .configuration import directory_of, leads_elsewhere, tcp_transports

#: Bytes of an answer that are read.
MOST = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Door:
    """Where a node answers HTTP.

    :ivar address: where to connect to.
    :ivar port: the TCP port.
    :ivar name: the host name that is asked for; it may be another than the address.
    :ivar tls: whether it is HTTPS.
    :ivar certificate: the only certificate that is trusted; None trusts what the machine does.
    """

    address: str
    port: int
    name: str
    tls: bool = False
    certificate: Path | None = None

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http{'s' * self.tls}://{host}:{self.port}"


def door_at(url: str) -> tuple[Door, str]:
    """Return the door of *url*, and its path.

    :raises ValueError: it is no address of HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("give an address, as in http://127.0.0.1:8080/readyz")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Door(parts.hostname, parts.port or (443 if tls else 80), parts.hostname, tls), path


def door_of(path: Path) -> Door:
    """Return the door of the node with the configuration at *path*, which runs on this machine.

    It answers under one of its host names, and its certificate is the one of the configuration: that
    one alone is trusted, whoever has signed it.

    :raises NodeError: it has none, or is no configuration.
    """
    try:
        config = json.loads(path.read_text())
        doors = [each for each in tcp_transports(config) if not leads_elsewhere(each)]
        door = next(
            each for each in doors if each.get("paths", {}).get("/", {}).get("type") == "wsgi"
        )
        endpoint = door["endpoint"]
        port = int(endpoint["port"])
        interface = str(endpoint.get("interface") or "127.0.0.1")
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(interface, interface)  # noqa: S104 # nosec B104
        tls = endpoint.get("tls")
        certificate = None if tls is None else directory_of(path) / tls["certificate"]
        return Door(address, port, _name_in(config) or address, tls is not None, certificate)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        raise NodeError(
            f"where the node answers HTTP does not stand in {path}: run this in the directory that "
            "has the configuration, name it with --config FILE, or the address with --url"
        ) from None


def _name_in(config: Mapping[str, Any]) -> str | None:
    """Return a host name that the node is given, if it is given any."""
    for worker in config["workers"]:
        for component in worker.get("components", ()):
            for host in component.get("extra", {}).get("hosts", ()):
                return str(host).removeprefix(".")
    return None


def ask(door: Door, path: str, headers: Mapping[str, str], timeout: float) -> tuple[int, str]:
    """Return the status and the body of what *door* answers; no redirect is followed.

    :param timeout: seconds for each step of it.
    :raises OSError: nobody answers, or somebody whose certificate is not trusted.
    :raises http.client.HTTPException: what answers does not speak HTTP.
    """
    connection = http.client.HTTPConnection(door.address, door.port, timeout=timeout)
    connection.sock = _connect(door, timeout)
    try:
        host = f"[{door.name}]" if ":" in door.name else door.name
        connection.request("GET", path, headers={"Host": f"{host}:{door.port}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(MOST).decode("utf-8", "replace")
    finally:
        connection.close()


def _connect(door: Door, timeout: float) -> socket.socket:
    plain = socket.create_connection((door.address, door.port), timeout)
    if not door.tls:
        return plain
    try:
        context = ssl.create_default_context(cafile=door.certificate)
        if door.certificate is not None:
            # It is the node's own, and this its machine: whose name is in it does not matter.
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context.wrap_socket(plain, server_hostname=door.name)
    except BaseException:
        plain.close()
        raise
