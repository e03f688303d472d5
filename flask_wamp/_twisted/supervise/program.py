"""A supervisor as a program, ``flask wamp serve --processes``: its session, signals and end."""

import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from ...state import State
from ..connection.connector import Connector, Lost
from ..connection.outage import not_within
from ..logs import use_python_logging
from ..session import Session
from .service import Service
from .settings import ChildSettings, Settings

log = logging.getLogger("flask_wamp")

#: How the lines of processes are logged, unless the application has said how.
FORMAT = "%(asctime)s %(levelname)s %(message)s"


class Program:
    """Supervises on the main thread, whose reactor runs until a signal, or until it is of no use.

    :param state: of the application, which is not served here: the processes import it themselves.
    :param name: what the supervisor's procedures are called by.
    :param timeout: seconds to connect in, at the beginning.
    :param started: called when all processes serve.
    """

    def __init__(
        self,
        state: State,
        name: str,
        settings: Settings,
        child: ChildSettings,
        *,
        timeout: float,
        started: Callable[[], None],
    ) -> None:
        # Here, since a reactor is installed by the import.
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._config = state.config
        self._started = started
        self._timeout = timeout
        self._session: Session | None = None
        self._absent = ""
        self._failure = ""
        self._has_begun = False
        self._is_ending = False
        self._service = Service(self._reactor, name, settings, child, self._fail)
        self._service.ready.addCallback(lambda _none: started())
        self._connector = Connector(
            self._reactor,
            state.config,
            connecting=lambda: None,
            joined=self._joined,
            lost=self._lost,
            in_context=state.app.app_context,
        )

    def run(self) -> str:
        """Run until the end, and return why it came; nothing after a signal."""
        use_python_logging()
        logging.basicConfig(format=FORMAT)
        log.setLevel(logging.INFO)
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._finish)
        self._reactor.run()
        return self._failure

    def _begin(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self._connector.connect()
        self._reactor.callLater(self._timeout, self._late)

    def _signalled(self, number: int, _frame: Any) -> None:
        # Where it comes again it ends the process at once, and with it its children. A node's Ctrl-C
        # comes to a guest as both, from the terminal and from the controller.
        other = signal.SIGINT if number == signal.SIGTERM else signal.SIGTERM
        signal.signal(other, signal.SIG_IGN)
        signal.signal(number, signal.SIG_DFL)
        self._reactor.callFromThread(self._reactor.stop)

    def _joined(self, session: Session) -> None:
        self._session = session
        self._service.attach(session).addCallback(self._start)

    def _start(self, _attached: None) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._service.start()

    def _lost(self, lost: Sequence[Lost]) -> None:
        if self._session is not None and not self._is_ending:
            log.warning("the connection to %s was lost: %s", *lost[-1])
        self._session = None
        self._absent = "; ".join(map(str, lost))
        self._service.detach()

    def _late(self) -> None:
        if not self._has_begun:
            self._fail(not_within(self._timeout, self._config.urls, self._absent))

    def _fail(self, message: str) -> None:
        if not self._failure:
            self._failure = message
            self._reactor.stop()

    @inlineCallbacks
    def _finish(self) -> Any:
        self._is_ending = True
        if self._session is not None and not self._failure:
            yield self._service.finish(self._session)
        yield self._service.close()
        closed: Deferred[None] = Deferred()
        self._connector.close(lambda: closed.callback(None))
        yield closed
