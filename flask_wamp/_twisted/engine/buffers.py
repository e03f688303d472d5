"""How much the router has yet to send to one of its sessions.

Crossbar.io 26.10.1, ``crossbar/router/router.py``: a router keeps its sessions by id in
``_session_id_to_session``, and an in-memory session its router in ``_transport._router``. Twisted
26.10.0, ``twisted/internet/abstract.py`` (``_tempDataLen``) and ``twisted/protocols/tls.py``
(``_appSendBuffer``, ``_aggregator``): what a transport has buffered. None of it has a public name;
it can be left alone once WAMP, or Crossbar.io, tells a callee how far its caller is.
``tests/twisted/crossbar/test_flow.py`` and ``tests/node/test_progressive.py`` tell where a name has changed.
"""

from typing import Any


def transport_of(in_memory: Any, session: int) -> Any:
    """Return a session's transport, as Autobahn has it; None where the session has ended.

    :param in_memory: a session of a router component.
    """
    router = in_memory._transport._router  # noqa: SLF001
    found = router._session_id_to_session.get(session)  # noqa: SLF001
    return getattr(found, "_transport", None)


def unsent(protocol: Any) -> int:
    """Return the bytes that wait in the transport below *protocol*; none where it is in memory."""
    waiting = 0
    transport = getattr(protocol, "transport", None)
    while transport is not None:
        buffered = getattr(transport, "_tempDataLen", None)
        if buffered is not None:
            return int(waiting + len(transport.dataBuffer) - transport.offset + buffered)
        waiting += sum(map(len, getattr(transport, "_appSendBuffer", ())))
        waiting += sum(map(len, getattr(getattr(transport, "_aggregator", None), "_buffer", ())))
        transport = getattr(transport, "transport", None)
    return waiting
