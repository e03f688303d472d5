"""The router of a session in memory, and the calls whose answers it has yet to get.

Crossbar.io 26.10.1, ``crossbar/router/router.py`` and ``dealer.py``: an in-memory session has its router
in ``_transport._router``; that router's dealer keeps the calls that it has passed on in ``_invocations``,
an ``InvocationRequest`` each, forgets one by ``_remove_invoke_request``, and answers through
``_router.send``. There is no public way to ask for them, nor to answer one in its callee's place. What
comes from a session in memory or a peer's goes through ``processCall`` and ``processCancel``.
It can be left alone once a Crossbar.io router drains before it stops; :func:`lacking_in` tells where
a name has changed, and ``tests/node/test_stopping.py`` notices the rest.
"""

from collections.abc import Callable
from typing import Any

from autobahn.wamp import message

from .router_sessions import GuardedSession

#: What is needed of each part of a router that runs, here and in :mod:`.router_sessions`.
_KEPT: dict[str, tuple[str, ...]] = {
    "_dealer": (
        "_invocations", "_invocations_by_call", "_caller_to_invocations", "_session_to_registrations",
        "_remove_invoke_request", "_router", "processCall", "processCancel",
    ),
    "_broker": ("_session_to_subscriptions",),
}  # fmt: skip


def router_of(in_memory: Any) -> Any:
    """Return the router of a router component's session."""
    return in_memory._transport._router  # noqa: SLF001


def lacking_in(router: Any) -> list[str]:
    """Return the names that a guard needs of a router that runs, and which it has not."""
    missing = [name for name in ("_roles", "_session_id_to_session") if not hasattr(router, name)]
    for part, names in _KEPT.items():
        kept = getattr(router, part, None)
        missing += [f"{part}.{name}" for name in names if not hasattr(kept, name)]
    return missing


def pending(in_memory: Any) -> int:
    """Return how many calls await their answers."""
    requests = router_of(in_memory)._dealer._invocations.values()  # noqa: SLF001
    return sum(not request.canceled for request in requests)


def answer_pending(in_memory: Any, uri: str, text: str) -> int:
    """Answer the calls of peers that await their answers with an error.

    What their callees answer later is dropped by the router. Sessions of this process, whose views
    are let go of in another way, get no answer here.

    :returns: how many there were.
    """
    dealer = router_of(in_memory)._dealer  # noqa: SLF001
    requests = [
        request
        for request in dealer._invocations.values()  # noqa: SLF001
        if isinstance(request.caller, GuardedSession) and not request.canceled
    ]
    for request in requests:
        dealer._remove_invoke_request(request)  # noqa: SLF001
        error = message.Error(message.Call.MESSAGE_TYPE, request.call.request, uri, args=[text])
        dealer._router.send(request.caller, error)  # noqa: SLF001
    return len(requests)


class Calls:
    """The calls that reach a router, which somebody may be shown first.

    :param in_memory: a session of a router component, which tells the router.
    """

    def __init__(self, in_memory: Any) -> None:
        self._router = router_of(in_memory)

    def show(
        self,
        keeps: Callable[[int, message.Call, Callable[[], None]], bool],
        cancels: Callable[[int, message.Cancel], bool],
    ) -> None:
        """Ask about each call, and each that is canceled, until :meth:`show_no_more`.

        :param keeps: gets the session's id, the call, and what lets that go on later; tells whether
            it is kept until then.
        :param cancels: gets the session's id and the message; tells whether that is done with.
        """
        dealer = self._router._dealer  # noqa: SLF001
        process_call, process_cancel = dealer.processCall, dealer.processCancel

        def call(session: Any, msg: message.Call) -> None:
            if not keeps(session._session_id, msg, lambda: process_call(session, msg)):  # noqa: SLF001
                process_call(session, msg)

        def cancel(session: Any, msg: message.Cancel) -> None:
            if not cancels(session._session_id, msg):  # noqa: SLF001
                process_cancel(session, msg)

        dealer.processCall, dealer.processCancel = call, cancel

    def show_no_more(self) -> None:
        """Let the router have every call at once, as by itself."""
        for name in ("processCall", "processCancel"):
            vars(self._router._dealer).pop(name, None)  # noqa: SLF001

    def has(self, session: int) -> bool:
        """Tell whether there is a session with that id."""
        return session in self._router._session_id_to_session  # noqa: SLF001

    def refuse(self, session: int, call: message.Call, uri: str, text: str) -> None:
        """Answer a call that the router has not seen, if its session is still there."""
        caller = self._router._session_id_to_session.get(session)  # noqa: SLF001
        if caller is not None:
            error = message.Error(message.Call.MESSAGE_TYPE, call.request, uri, args=[text])
            self._router.send(caller, error)
