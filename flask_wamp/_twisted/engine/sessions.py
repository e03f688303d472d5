"""What Autobahn's session keeps to itself.

Autobahn 26.10.2, ``autobahn/wamp/protocol.py``, class ``ApplicationSession``: whether there is a
transport or a session (``_transport``, ``_session_id``), the next request id (``_request_id_gen``),
which requests are Autobahn's own (``_call_reqs``, ``_publish_reqs``, ``_register_reqs`` and so on),
whether it has said goodbye (``_goodbye_sent``), and what it has registered and subscribed
(``_registrations``, ``_subscriptions``) have no public names. Nor has what it says that it
can do (``_session_roles``): a Crossbar.io 26.10.1 router sends a callee that can be canceled an
interrupt when its caller leaves, and fails with one that is in memory
(``crossbar/router/session.py``, ``RouterApplicationSession.send``), so that the caller's session
stays for ever; ``tests/twisted/crossbar/test_hosted.py`` tells when it does not any more. They can be left alone
once Autobahn hands payload on apart from its own keyword arguments, so that no message has to be
taken before it; ``tests/twisted/test_session.py`` tells where a name has changed.
"""

import copy
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError, TransportLost
from autobahn.wamp.types import CloseDetails

from .readers import tolerant


class EngineSession(ApplicationSession):
    """Autobahn's session with names for what a session of ours needs of it.

    :ivar is_reading: what comes over the connection is read.
    """

    is_reading = True

    @property
    def has_transport(self) -> bool:
        """Whether a message can be sent."""
        return self._transport is not None

    @property
    def has_joined(self) -> bool:
        """Whether the session is established (WAMP spec, 4.1)."""
        return self._session_id is not None

    def send(self, msg: Any) -> None:
        """Send a message.

        :raises TransportLost: there is no transport any more.
        """
        if self._transport is None:
            raise TransportLost
        self._transport.send(msg)

    def next_request(self) -> int:
        """Return the id of the next request."""
        request: int = self._request_id_gen.next()
        return request

    def is_request_of_autobahn(self, request: int) -> bool:
        """Tell whether a call or publish was sent by Autobahn's own methods."""
        return request in self._call_reqs or request in self._publish_reqs

    def autobahn_awaits_answers(self) -> bool:
        """Tell whether the router owes an answer to a request of Autobahn's, or to its goodbye."""
        return self._goodbye_sent or any(
            (
                self._call_reqs,
                self._publish_reqs,
                self._register_reqs,
                self._unregister_reqs,
                self._subscribe_reqs,
                self._unsubscribe_reqs,
            )
        )

    def read(self, on: bool) -> None:
        """Read the connection, or leave what comes where it is; in memory there is none."""
        wire = getattr(self._transport, "transport", None)
        if wire is not None:
            self.is_reading = on
            (wire.resumeProducing if on else wire.pauseProducing)()

    def take_no_interrupts(self) -> None:
        """Say that calls which this session answers cannot be canceled; before it joins."""
        callee = copy.copy(self._session_roles["callee"])
        callee.call_canceling = False  # type: ignore[attr-defined]
        self._session_roles = {**self._session_roles, "callee": callee}

    def drop_registration(self, number: int) -> None:
        """Forget a registration that the router has taken away."""
        self._registrations.pop(number, None)

    def drop_subscription(self, number: int) -> None:
        """Forget a subscription that the router has taken away."""
        self._subscriptions.pop(number, None)

    def onOpen(self, transport: Any) -> None:
        """Read so that a message that cannot be read does not end the session."""
        serializer = getattr(transport, "_serializer", None)
        if serializer is not None:
            transport._serializer = tolerant(serializer)  # noqa: SLF001 - Autobahn makes it
        super().onOpen(transport)

    def onLeave(self, details: CloseDetails) -> Any:
        """End what Autobahn waits for, and the connection.

        Autobahn's own would warn of any reason but its default; whoever has opened the session says it.
        """
        end: Any = self._errback_outstanding_requests
        over = end(ApplicationError(details.reason, details.message))
        return over.addBoth(lambda _: self.has_transport and self.disconnect())
