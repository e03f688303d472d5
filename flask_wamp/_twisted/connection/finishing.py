"""The end of a process that serves over a connection of its own, and is told to end."""

from concurrent.futures import Future
from typing import Any

from twisted.internet.defer import maybeDeferred

from ..reactor_thread import running_reactor
from ..serve.leaving import AFTER_THE_ROUTER, ANSWER_WITHIN, finish
from .background import BackgroundLink

#: Seconds that the rest may take, on a busy machine.
SLACK = 2.0


def finish_serving(link: BackgroundLink, grace: float) -> None:
    """Finish what runs, as :func:`.leaving.finish` says; returns when that is done, at the latest
    after *grace* seconds and some.
    """
    reactor = running_reactor()
    # With the node the router goes first.
    link.outage.expected = ("",)
    finished: Future[None] = Future()

    def begin() -> None:
        session = link.session
        done = maybeDeferred(lambda: session and finish(session, reactor, grace))
        done.addBoth(end)

    def end(_outcome: Any) -> None:
        # In a later turn than the last answer, which is on its way.
        reactor.callLater(0, finished.set_result, None)

    reactor.callFromThread(begin)
    try:
        finished.result(grace + ANSWER_WITHIN + AFTER_THE_ROUTER + SLACK)
    except TimeoutError:
        return
