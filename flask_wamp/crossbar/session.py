"""What both of a node's sessions are: the link of an application in their process."""

import traceback
from typing import Any, ClassVar

from autobahn.wamp.types import CloseDetails
from twisted.internet.error import ReactorNotRunning

from .._twisted.call.link import SessionLink
from .._twisted.engine.recursion import restore_recursion_limit
from .._twisted.engine.shutdown import say_no_more
from .._twisted.notices import Notices
from .._twisted.reactor_thread import running_reactor
from .._twisted.session import Session
from .._twisted.supervise.settings import Settings
from .._twisted.threads import ReactorQueue
from ..application import load_application
from ..errors import ConfigError
from ..observe.enabling import count_for
from ..observe.store import offer
from ..state import State, state_of
from .bridge import bridge_logging, leave_to_bridge
from .stopping import LAST_RESORT, ending_of
from .watchdog import end_within, watchdog_of

#: Seconds that ``@wamp.on_leave`` functions get, once the node stops.
LEAVE_GRACE = 1.0
#: Seconds in which a session that is lost turns out to be the node's own stop.
STOP_NOTICE = 1.0


class AppSession(Session):
    """A session that gives an application in this process its link.

    :cvar application: where the Flask application is, ``"module:object"``: the application, or a
        factory that takes no arguments (:attr:`factories`). ``"extra": {"application": ...}`` in the component's
        configuration names it as well, without a subclass.
    """

    application: ClassVar[str] = ""
    factories: ClassVar[bool] = True
    #: The node starts this one before its others.
    is_first: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        restore_recursion_limit()
        self._extra: dict[str, Any] = (config and config.extra) or {}
        self._application = str(self._extra.get("application", self.application))
        self._reactor = running_reactor()
        watchdog_of(self._reactor).starting()
        self._queue = ReactorQueue(self._reactor.callFromThread, self._reactor.callLater)
        self._link = SessionLink(self._queue)
        self._state: State | None = None
        self._notices: Notices | None = None
        self._stopping = False
        self._settings = self._read_settings()
        ending_of(self._reactor).first(self._settings.grace, self._finish)
        # Before Crossbar's own triggers, which wait for the threads that this one releases.
        self._reactor.addSystemEventTrigger("before", "shutdown", self._release)
        # Before the application is imported, which may configure logging itself.
        bridge_logging()
        if "cbdir" in self._extra:
            offer(self._extra["cbdir"], first=self.is_first)
        self._load()

    def _load(self) -> None:
        """Load the application; the process ends where that cannot be done."""
        try:
            state = state_of(load_application(self._application, factories=self.factories))
            count_for(state)
        except Exception as error:  # noqa: BLE001
            # Whatever keeps an application from loading, the node must not come up without it.
            self.fail(f"cannot load the Flask application {self._application!r}", error)
        else:
            leave_to_bridge(state.app)
            state.slot.attach(self._link)
            self._state = state
            self._notices = Notices(state)
            self._reactor.addSystemEventTrigger("during", "shutdown", self._finish_notices)

    def onConnect(self) -> None:
        """Join the realm, unless the application did not load."""
        if self._state is not None:
            super().onConnect()

    def onLeave(self, details: CloseDetails) -> Any:
        """End the process where the session is lost before it stops: nothing would serve then."""
        self._link.detach(f"the session ended: {details.reason}")
        self.tell_left(str(details.reason))
        self._reactor.callLater(STOP_NOTICE, self._fail_unless_stopping, details)
        return super().onLeave(details)

    def fail(self, what: str, error: Exception | None = None) -> None:
        """Log *what* went wrong, and end the process: the node then ends as well."""
        self.log.error("flask-wamp: {klass}: {what}", klass=type(self).__name__, what=what)
        if error is not None:
            lines = traceback.format_exception(error)
            self.log.error("{traceback}", traceback="".join(lines).rstrip())
        self._stopping = True
        self._reactor.addSystemEventTrigger("before", "shutdown", say_no_more)
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            # It is stopping already, or has yet to start: then the exception tells Crossbar.
            if error is not None:
                raise

    def tell_joined(self) -> None:
        """Let the application know that this session can be used."""
        if self._state is not None:
            self._state.health.joined = True
        if self._notices is not None:
            self._notices.joined(self, str(self.config.realm))

    def tell_left(self, reason: str) -> None:
        """Let the application know that this session has ended."""
        if self._state is not None:
            self._state.health.joined = False
        if self._notices is not None:
            self._notices.left(reason)

    def _finish_notices(self) -> Any:
        """Give ``@wamp.on_leave`` functions their second, while the process ends."""
        self.tell_left("the node stops")
        return self._notices and self._notices.finished(self._reactor, LEAVE_GRACE)

    def _fail_unless_stopping(self, details: CloseDetails) -> None:
        if not self._stopping:
            self.fail(f"the session ended: {details.reason} {details.message or ''}".rstrip())

    def _read_settings(self) -> Settings:
        try:
            return Settings.from_extra(self._extra)
        except ConfigError as error:
            self.fail(str(error))
            return Settings()

    def _finish(self) -> Any:
        """Finish what was begun, before SIGTERM ends the process; None, or a Deferred."""
        self._stopping = True

    def _release(self) -> Any:
        # From here on nothing of ours takes longer, and what Crossbar.io waits for may never come.
        end_within(LAST_RESORT)
        self._stopping = True
        self._link.release("the node stops")
