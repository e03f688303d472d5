"""Sessions that log in: a node that takes every method, and peers that use them."""

import http.cookiejar
import itertools
import json
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Self

from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory
from autobahn.wamp.auth import create_authenticator
from autobahn.wamp.serializer import JsonSerializer
from autobahn.wamp.types import ComponentConfig
from twisted.internet.endpoints import SSL4ClientEndpoint

from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode

from .support import APPS, LIMIT, Peer, connect_factory, node_config, on_reactor

DYNAMIC = {
    "type": "dynamic",
    "authenticator": "flask_wamp.login.authenticate",
    "authenticator-realm": "realm1",
    "authenticator-role": "trusted",
}
METHODS = ("anonymous", "ticket", "wampcra", "scram", "cryptosign")
REFUSED = "wamp.error.not_authorized: the login was refused"
#: Addresses that nobody has used before, as a proxy tells them.
_ADDRESSES = (f"198.51.{number // 200}.{number % 200}" for number in itertools.count(1))


def members_config() -> dict[str, Any]:
    """Return the configuration of the node that the members log in to."""
    config = node_config(
        web=f"{APPS}.members.Web",
        views=[f"{APPS}.members.Views"],
        wsgi=f"{APPS}.members",
        governed=True,
    )
    router = config["workers"][0]
    # What SCRAM makes of a password takes its time, on a machine with other work as well.
    router["components"][0]["extra"] = {"join_within": 60}
    paths = router["transports"][0]["paths"]
    paths["ws"]["auth"] = {method: dict(DYNAMIC) for method in METHODS}
    roles = router["realms"][0]["roles"]
    roles.append({"name": "admin", "permissions": []})
    # What it may register is nothing for a person, whatever the application says.
    register = {"uri": "", "match": "prefix", "cache": False, "allow": {"register": True}}
    roles.append({"name": "service", "permissions": [register]})
    roles.append({"name": "asked", "authorizer": "com.members.nobody"})
    return config


class Person:
    """A browser without WebSockets: its cookies, for the node's pages and for the handshake."""

    def __init__(self, node: CrossbarNode) -> None:
        self._node = node
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def post(self, path: str, form: str = "") -> str:
        """POST to a page, and return what it answers."""
        request = urllib.request.Request(self._node.url + path, form.encode(), method="POST")
        with self._opener.open(request, timeout=LIMIT) as page:
            return str(page.read().decode())

    def post_json(self, path: str) -> Any:
        """POST to a page, and return what its JSON says."""
        return json.loads(self.post(path))

    @property
    def cookie(self) -> str:
        """The Cookie header that is sent along."""
        return "; ".join(f"{each.name}={each.value}" for each in self._jar)


class _LoginSession(ApplicationSession):
    def __init__(self, joined: "Future[_LoginSession]", authenticator: Any, realm: str) -> None:
        super().__init__(ComponentConfig(realm=realm))
        self.joined = joined
        self.left: Future[Any] = Future()
        self.welcome: Any = None
        self.reason: str | None = None
        self.challenge: Any = None
        self.ignores_goodbye = False
        self._authenticator = authenticator

    def onConnect(self) -> None:
        if self._authenticator is None:
            super().onConnect()
            return
        authenticator = self._authenticator
        method = getattr(authenticator, "name", "tls")
        given = getattr(authenticator, "_args", {})
        self.join(
            self.config.realm,
            authmethods=[method],
            authid=given.get("authid"),
            authextra=getattr(authenticator, "authextra", None) or None,
        )

    def onChallenge(self, challenge: Any) -> Any:
        self.challenge = challenge
        return self._authenticator.on_challenge(self, challenge)

    def onJoin(self, details: Any) -> None:
        self.welcome = details
        self.joined.set_result(self)

    def onMessage(self, msg: Any) -> None:
        if self.ignores_goodbye and type(msg).__name__ == "Goodbye":
            return
        super().onMessage(msg)

    def onLeave(self, details: Any) -> None:
        self.reason = details.reason
        if not self.joined.done():
            self.joined.set_exception(ConnectionError(f"{details.reason}: {details.message}"))
        super().onLeave(details)

    def onDisconnect(self) -> None:
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("the transport was lost"))
        if not self.left.done():
            self.left.set_result(self.reason)


class Member(Peer):
    """An Autobahn session that logs in."""

    session: Any

    @property
    def person(self) -> tuple[str, str]:
        """Its role and authid, as the router has welcomed it."""
        return self.session.welcome.authrole, self.session.welcome.authid

    @classmethod
    def log_in(cls, url: str, method: str | None = None, **given: Any) -> Self:
        """Join at *url* with an authmethod, and what is *given*; see :meth:`try_to`.

        :raises ConnectionError: the router refuses; the text is its word.
        """
        return cls(cls.try_to(url, method, **given).joined.result(LIMIT))

    @classmethod
    def try_to(
        cls,
        url: str,
        method: str | None = None,
        *,
        cookie: str = "",
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        realm: str = "realm1",
        tls: Any = None,
        **given: Any,
    ) -> Any:
        """Return the session that tries to join.

        :param given: what Autobahn's authenticator of the *method* takes.
        """
        authenticator: Any = None
        if method == "tls":
            authenticator = object()
        elif method is not None:
            authenticator = create_authenticator(method, **given)
        session = _LoginSession(Future(), authenticator, realm)
        factory = WampWebSocketClientFactory(
            lambda: session,
            url=url,
            origin=origin,
            serializers=[JsonSerializer()],
            headers={
                "X-Forwarded-For": next(_ADDRESSES),
                **({"Cookie": cookie} if cookie else {}),
                **(headers or {}),
            },
            reactor=running_reactor(),
        )
        factory.noisy = False
        if tls is None:
            connect_factory(factory)
        else:
            endpoint = SSL4ClientEndpoint(running_reactor(), factory.host, factory.port, tls)
            on_reactor(lambda: endpoint.connect(factory))
        return session


@contextmanager
def member(url: str, method: str | None = None, **given: Any) -> Iterator[Member]:
    """Give a session that has logged in; see :meth:`Member.log_in`."""
    peer = Member.log_in(url, method, **given)
    try:
        yield peer
    finally:
        peer.close()
