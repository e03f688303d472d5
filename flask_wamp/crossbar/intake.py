"""Which requests the node's web transports take: for which host names, and how large.

A page of another site can make a browser send requests to a node under that site's own name, by letting the name
point to the node's address (DNS rebinding), and is its origin then. So a node answers under the names that it
is known by, and where it is told none, under ``localhost`` and the address that was asked.
"""

import ipaddress
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask
from werkzeug.sansio.utils import host_is_trusted

from .._twisted.engine.channels import Head, Refusal
from ..errors import SetupError

#: Bytes of a request's body, where neither the application nor the component says otherwise.
MAX_BODY = 16 * 1024 * 1024
#: What lets every host name in.
ANY_HOST = "*"
#: Names of this machine alone.
LOCAL = ["localhost", ".localhost"]
#: Seconds in which at most one refused host name is logged.
LOG_INTERVAL = 10.0
#: The longest Host header.
MAX_HOST = 255

ONE_HOST = Refusal("400 Bad Request", "A request has one Host header.")
STOPPING = Refusal("503 Service Unavailable", "The server is stopping; try again in a moment.")
OTHER_HOST = Refusal("421 Misdirected Request", "This server does not answer under that name.")


class Intake:
    """Judges requests by their heads.

    :param hosts: the names and addresses that are answered, without ports; one with a dot in front
        stands for those below it as well. None where nothing is named.
    :param log: the session's.
    :ivar closed: nothing is let in any more.
    """

    closed = False

    def __init__(self, hosts: Sequence[str] | None, log: Any) -> None:
        self._hosts = hosts
        self._log = log
        self._logged = float("-inf")

    @property
    def name(self) -> str:
        """A name under which requests are answered: localhost, where that is one."""
        hosts = [ANY_HOST] if self._hosts is None else self._hosts
        if ANY_HOST in hosts or host_is_trusted("localhost", hosts):
            return "localhost"
        return hosts[0].removeprefix(".")

    def __call__(self, head: Head) -> Refusal | None:
        """Return why a request is refused, or None."""
        if self.closed:
            return STOPPING
        if self._hosts is not None and ANY_HOST in self._hosts:
            return None
        if len(head.hosts) != 1 or len(head.hosts[0]) > MAX_HOST:
            return ONE_HOST
        (host,) = head.hosts
        if self._answers(host, head.address):
            return None
        self._tell(host)
        return OTHER_HOST

    def _answers(self, host: str, address: str) -> bool:
        asked = address_of(host)
        if asked is None:
            return host_is_trusted(host.lower(), LOCAL if self._hosts is None else self._hosts)
        if self._hosts is None:
            return asked.is_loopback or asked == address_of(address)
        return asked in [address_of(each) for each in self._hosts]

    def _tell(self, host: str) -> None:
        """Say how the name could be answered, now and then."""
        now = time.monotonic()
        if now - self._logged < LOG_INTERVAL:
            return
        self._logged = now
        self._log.warn(
            "flask-wamp: a request for the host {host} was refused; if it is this node's, name it in "
            'TRUSTED_HOSTS of the application, or in the web component\'s extra, "hosts"',
            host=ascii(host[:80]),
        )


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a Host header has, with a port or without; None where it is a name."""
    bare = host.partition("]")[0].removeprefix("[") if "[" in host else host
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        return None


def hosts_of(extra: Mapping[str, Any], app: Flask | None) -> list[str] | None:
    """Return the host names that a node answers under; None where nobody has named any.

    The component's ``extra`` names them, or the application: ``TRUSTED_HOSTS``, or ``SERVER_NAME``
    with what is below it.

    :raises SetupError: they are no list of texts.
    """
    hosts = extra.get("hosts")
    if hosts is None and app is not None:
        hosts = app.config.get("TRUSTED_HOSTS")
        if not hosts and app.config.get("SERVER_NAME"):
            return [f".{str(app.config['SERVER_NAME']).partition(':')[0]}", *LOCAL]
    if not hosts:
        return None
    if not isinstance(hosts, list | tuple) or not all(isinstance(each, str) for each in hosts):
        raise SetupError(
            f'hosts have to be a list of names, as in ["shop.example"], and are {hosts!r}'
        )
    return list(hosts)


def max_body_of(extra: Mapping[str, Any], app: Flask | None) -> int:
    """Return how many bytes the body of a request may have.

    The component's ``extra`` says so, ``max_body``, or the application, ``MAX_CONTENT_LENGTH``.

    :raises SetupError: it is no whole number above 0.
    """
    size = extra.get("max_body")
    if size is None and app is not None:
        size = app.config.get("MAX_CONTENT_LENGTH")
    if size is None:
        return MAX_BODY
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise SetupError(f"max_body has to be a number of bytes, as in 1048576, and is {size!r}")
    return size
