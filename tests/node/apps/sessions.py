"""The components of these tests' nodes."""

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
