"""The components of these tests' nodes."""

import ctypes
import time
from typing import Any

from autobahn.wamp import message
from crossbar.router.dealer import Dealer
from twisted.internet.defer import inlineCallbacks

from flask_wamp.crossbar import ViewsSession, WebSession, slowing
from flask_wamp.crossbar.ending import end_session


class Web(WebSession):
    """The web side of the service, on a node that has the other applications as well.

    It serves ``com.guard.end(session, reason, at_once=False)``, which ends a session.
    """

    application = "tests.node.apps.service:app"
    awaited = ("com.other.buy", "com.serving.add")
    _ending: int | None = None

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register the procedure."""
        registration = yield self.register(lambda *args: None, "com.guard.end")
        self._ending = registration.id
        yield super().onJoin(details)

    def onMessage(self, msg: Any) -> None:
        """Answer when the session has ended."""
        if type(msg) is not message.Invocation or msg.registration != self._ending:
            super().onMessage(msg)
            return
        session, reason, *how = msg.args
        ended = end_session(self, session, reason, at_once=bool(how and how[0]))
        ended.addCallback(lambda is_ended: self.answer(msg.request, is_ended))


class LoneWeb(WebSession):
    """The web side of the service."""

    application = "tests.node.apps.service:app"


class PatientWeb(LoneWeb):
    """The same, where no login is slowed down: all that the tests are refused is one address's."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        slowing.FREE = 10**6


class UnguardedWeb(WebSession):
    """The web side of the service, with a Crossbar.io that lacks a name."""

    application = "tests.node.apps.service:app"

    def __init__(self, config: Any = None) -> None:
        del Dealer._remove_invoke_request
        super().__init__(config)


class Views(ViewsSession):
    """Serves the service."""

    application = "tests.node.apps.service:app"


class Other(ViewsSession):
    """Serves the other application."""

    application = "tests.node.apps.other:app"


class Serving(ViewsSession):
    """Serves the application that uses what serving has to offer."""

    application = "tests.node.apps.serving:app"


class Twin(ViewsSession):
    """Serves procedures that the service has registered."""

    application = "tests.node.apps.twin:app"


class TwinWeb(WebSession):
    """The web side of the application whose procedures are taken."""

    application = "tests.node.apps.twin:app"


class BrokenViews(ViewsSession):
    """Serves an application whose import fails."""

    application = "tests.node.apps.broken:app"


class MissingWeb(WebSession):
    """The web side of an application that is not there."""

    application = "tests.node.apps.not_there:app"


class HistoryWeb(WebSession):
    """The web side of the application that catches up."""

    application = "tests.node.apps.history:app"


class HistoryViews(ViewsSession):
    """Serves the application that catches up."""

    application = "tests.node.apps.history:app"


class StandingWeb(WebSession):
    """A web side whose reactor can be made to stand still, ``com.stand.web(how)``."""

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register the procedure."""
        yield self.register(stand, "com.stand.web")
        yield super().onJoin(details)


class StandingViews(ViewsSession):
    """A container whose reactor can be made to stand still, ``com.stand.views(how)``."""

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register the procedure."""
        yield super().onJoin(details)
        server, self.server = self.server, None
        yield self.register(stand, "com.stand.views")
        self.server = server

    def onMessage(self, msg: Any) -> None:
        """Stand still where one is asked to, which no view is about."""
        if type(msg) is message.Invocation and msg.args and msg.args[0] in STANDSTILLS:
            stand(msg.args[0])
        super().onMessage(msg)


def stand(how: str) -> None:
    """Let the reactor stand still, on its own thread."""
    STANDSTILLS[how]()


#: Without the interpreter, and with it, as C code does that never lets go.
STANDSTILLS: dict[str, Any] = {
    "asleep": lambda: time.sleep(600),
    "holds the interpreter": lambda: ctypes.PyDLL(None).sleep(600),
}
