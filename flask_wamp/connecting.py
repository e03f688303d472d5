"""``connect``: calls and publishes for code that has no Flask application."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from types import TracebackType
from typing import Any

from flask import Flask

from .address import DEFAULT_URL
from .call.client import Client
from .errors import ConfigError, SetupError
from .extension import WAMP
from .secret import Secret, hidden
from .state import State, state_of


def connect(
    url: str | Sequence[str] = DEFAULT_URL,
    realm: str = "realm1",
    *,
    timeout: float | None = None,
    serializer: str | Sequence[str] | None = None,
    tls_ca: str | PathLike[str] | None = None,
    tls_cert: str | PathLike[str] | None = None,
    tls_key: str | PathLike[str] | None = None,
    uri_prefix: str | None = None,
    authid: str | None = None,
    ticket: str | Secret | Callable[[], str] | None = None,
    secret: str | Secret | None = None,
    private_key: str | Secret | PathLike[str] | None = None,
    authmethod: str | None = None,
) -> AbstractContextManager[Client]:
    """Connect to a router, for a script, a job or a notebook without a Flask application.

    A context manager, which gives what ``g.wampy`` is in an application:

    .. code-block:: python

        with flask_wamp.connect("ws://localhost:8080/ws", "realm1") as wampy:
            wampy.publish("com.example.sold", "tea", amount=3)

    Entering it waits for the session; a lost connection is made again by itself. Leaving it ends
    the session when all that was published has arrived, events without acknowledgment included,
    unless that takes the router more than 2 seconds. It may be entered again.

    :param url: where the router listens, or several of them, as ``WAMP_URL`` names them.
    :param realm: the realm to join.
    :param timeout: seconds that connecting, a call or an acknowledged publish may take; 10 where
        it is None.
    :param serializer: ``"cbor"``, ``"msgpack"`` or ``"json"``, as ``WAMP_SERIALIZER`` has it.
    :param tls_ca: the PEM file of the CAs that alone are trusted.
    :param tls_cert: the PEM file of the client's certificate.
    :param tls_key: the PEM file of its private key, where the certificate's has none.
    :param uri_prefix: stands before the bare names of ``wampy.rpc``.
    :param authid: who logs in.
    :param ticket: the ticket that proves it, or a function that returns one for each login.
    :param secret: the password of WAMP-CRA, or of SCRAM.
    :param private_key: the Ed25519 key of cryptosign, in hexadecimal, or the path of its file.
    :param authmethod: ``"scram"`` or ``"tls"``; the others are known from what is given.
    :raises ConfigError: one of them is invalid; here, not at ``with``.
    :raises NotConnected: at ``with``: no router was reached, or it refused. The reason names each.
    """
    # The values are in no frame of ours any more when something raises.
    ticket, secret, private_key = map(hidden, (ticket, secret, private_key))
    given = {
        "WAMP_URL": url,
        "WAMP_REALM": realm,
        "WAMP_TIMEOUT": timeout,
        "WAMP_SERIALIZER": serializer,
        "WAMP_TLS_CA": tls_ca,
        "WAMP_TLS_CERT": tls_cert,
        "WAMP_TLS_KEY": tls_key,
        "WAMP_URI_PREFIX": uri_prefix,
        "WAMP_AUTHID": authid,
        "WAMP_TICKET": ticket,
        "WAMP_SECRET": secret,
        "WAMP_PRIVATE_KEY": private_key,
        "WAMP_AUTHMETHOD": authmethod,
    }
    return _Connection(given)


class _Connection(AbstractContextManager[Client]):
    """A connection, while the context lasts."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        app = Flask("flask_wamp", static_folder=None)
        app.config.from_mapping(config)
        try:
            WAMP(app)
        except ConfigError as error:
            raise ConfigError(_as_arguments(str(error))) from None
        self._state: State = state_of(app)
        self._is_entered = False

    def __enter__(self) -> Client:
        if self._is_entered:
            raise SetupError("this connection is entered already: make another, connect(...)")
        state = self._state
        self._is_entered = True
        try:
            open_link(state, state.config.timeout)
        except BaseException:
            self._leave()
            raise
        return state.client

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        from ._twisted.connection.background import BackgroundLink

        # It stays the client's link, which refuses from now on what is asked of it. In the child of
        # a fork there is none before the client is used.
        link = self._state.slot.link
        if isinstance(link, BackgroundLink):
            link.close("the end of flask_wamp.connect()")
        self._is_entered = False

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"connect() has no {name!r}: it is a context manager, and what it gives has; write "
            "`with flask_wamp.connect(...) as wampy:`"
        )

    def __repr__(self) -> str:
        return f"<connect({self._state.config.urls!r}, {self._state.config.realm!r})>"


def open_link(state: State, timeout: float) -> None:
    """Let an application have a connection of the process's own, and wait for its session.

    :param timeout: seconds to connect in.
    :raises NotConnected: no router was reached, or it refused.
    """
    from ._twisted.connection.background import BackgroundLink

    link = BackgroundLink(state)
    state.slot.attach(link)
    link.open(timeout)


def _as_arguments(text: str) -> str:
    """Return *text* with the names of the arguments in place of those of the configuration."""
    return re.sub(r"\bWAMP_([A-Z_]+)", lambda found: found[1].lower(), text)
