"""What a process that serves asks when it is told to end: does the whole node end with it?

Who stops a node stops all of its processes at once. The router's process then drains, as
:mod:`flask_wamp.crossbar.draining` says: it lets nothing in any more and waits for what it has
accepted, which may call procedures of any process; so one that left by itself would fail the calls
that are waited for. Where the process alone is to end, it unregisters and finishes what it runs.
"""

from typing import Any

from autobahn.wamp.exception import Error as AutobahnError
from autobahn.wamp.exception import TransportLost
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.defer import TimeoutError as NoAnswer

from ...errors import WAMPError
from ..session import Session

#: What the router's process answers; see :mod:`flask_wamp.crossbar.stop_host`.
NODE_STOPPING = "flask_wamp.node.stopping"
#: With what reason a router that stops says goodbye (WAMP spec, "Predefined URIs").
SYSTEM_SHUTDOWN = "wamp.close.system_shutdown"
#: Seconds that its answer may take. It says no after some 0.3 s, since one of two processes that
#: are told at once is told first; the rest is for a machine that is busy.
ANSWER_WITHIN = 3.0
#: Seconds that a process serves on beyond the time that it has, for the router to go first: it
#: answers what has no answer by then.
AFTER_THE_ROUTER = 3.0


@inlineCallbacks
def node_stops(session: Session, reactor: Any) -> Any:
    """Tell whether the node of *session* stops; a Deferred of a bool, which never fails.

    :returns: True: serve on until the session ends, or the time to end in is over; so it is where
        the session has ended meanwhile. False, also from a router without a
        :class:`~flask_wamp.crossbar.WebSession`: unregister, finish what runs, and leave.
    """
    if not session.is_attached():
        return True
    try:
        question: Deferred[Any] = session.call(NODE_STOPPING)
        answer = yield question.addTimeout(ANSWER_WITHIN, reactor)
    except TransportLost:
        return True
    except (AutobahnError, WAMPError, NoAnswer):
        # Nobody answers, or this role may not ask.
        return not session.is_attached()
    return answer is True


@inlineCallbacks
def finish(
    session: Session,
    reactor: Any,
    grace: float,
    *,
    ask: bool = True,
    behind_router: float = AFTER_THE_ROUTER,
) -> Any:
    """Finish what runs, before a process that serves ends; a Deferred.

    With the node it serves on until that has gone. Alone it unregisters, finishes what it runs, and
    leaves.

    :param grace: seconds that calls get which run.
    :param ask: whether it may be the node that stops.
    :param behind_router: seconds more for the router to go first.
    :returns: fires with the number of calls that were answered with an error.
    """
    if not session.is_attached():
        return 0
    began = reactor.seconds()
    if ask and (yield node_stops(session, reactor)):
        yield until_left(session, reactor, grace + behind_router)
    server: Any = session.server
    if server is None:
        return 0
    # Also where the session has ended: what handles an event goes on as long as it may.
    unanswered: int = yield server.drain(max(0.0, grace - (reactor.seconds() - began)))
    return unanswered


def until_left(session: Session, reactor: Any, seconds: float) -> "Deferred[None]":
    """Return what fires when *session* has ended, or after so many seconds."""
    over: Deferred[None] = Deferred()

    def end(*_details: Any, **_how: Any) -> None:
        if not over.called:
            over.callback(None)

    if not session.is_attached():
        end()
        return over
    observed: Any = session
    for event in ("leave", "disconnect"):
        observed.on(event, end)
    late = reactor.callLater(seconds, end)
    return over.addCallback(lambda _none: late.cancel() if late.active() else None)
