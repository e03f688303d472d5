"""A supervisor in a process: its log, its fork server, its procedures, its signal and its end."""

import re
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger

from ..serve.leaving import AFTER_THE_ROUTER, node_stops, until_left
from ..session import Session
from .forking import Forker
from .procedures import Procedures
from .settings import ChildSettings, Settings
from .supervisor import Supervisor

#: Seconds that a process has to end in, which has nobody to listen to any more.
KILL_AFTER = 0.5

_log = Logger()
_reloads: list[Callable[[], Any]] = []
_forkers: dict[str, Forker] = {}


class Service:
    """Supervises the serving processes of an application, for a session that may come and go.

    :ivar ready: fires once, when all processes serve.
    :param name: what its procedures are called by.
    :param child: what all processes are told alike.
    :param fail: gets a message where no process can be had.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        settings: Settings,
        child: ChildSettings,
        fail: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._name = _identifier(name)
        self._settings = settings
        self._child = replace(child, shared=settings.processes > 1, grace=settings.grace)
        self._procedures: Procedures | None = None
        self._forker = forker_for(reactor, child.application if settings.preload else "")
        self._forker.users += 1
        self._supervisor = Supervisor(
            settings,
            reactor,
            self._write,
            make=self._settings_of,
            launch=self._forker.launch,
            fail=fail,
            renew=self._forker.renew,
        )
        self.ready = self._supervisor.ready
        reload_on_hangup(reactor, self.reload)

    def start(self) -> None:
        """Start the processes."""
        self._supervisor.start()

    @inlineCallbacks
    def attach(self, session: Session) -> Any:
        """Answer over *session*; a Deferred, which does not fail."""
        self._supervisor.is_reachable = True
        procedures = Procedures(session, {"status": self.status, "reload": self.reload})
        if (yield procedures.register(self._name)):
            self._procedures = procedures

    def detach(self) -> None:
        """There is no session, until another one is attached."""
        self._supervisor.is_reachable = False

    def status(self) -> dict[str, Any]:
        """Return how the processes do."""
        return {"application": self._child.application, **self._supervisor.status()}

    def reload(self) -> "Deferred[Any]":
        """Replace the processes by new ones; see :meth:`Supervisor.reload`."""
        reloaded: Deferred[Any] = self._supervisor.reload()
        return reloaded

    @inlineCallbacks
    def finish(self, session: Session) -> Any:
        """End the processes: with the node when that has gone, else as soon as they have finished.

        :returns: a Deferred that fires when none is left.
        """
        with_node = yield node_stops(session, self._reactor)
        gone = self._supervisor.stop(drain=not with_node)
        if with_node:
            # What they have accepted is answered when the router lets this session go.
            seconds = self._settings.grace + AFTER_THE_ROUTER
            yield until_left(session, self._reactor, seconds)
            self._supervisor.hang_up()
        yield gone

    def close(self) -> "Deferred[None]":
        """End what is left of the processes, at once; a Deferred that fires when none is left."""
        self._forker.leave()
        gone = self._supervisor.stop(drain=False)
        self._supervisor.hang_up()
        self._reactor.callLater(KILL_AFTER, self._supervisor.kill)
        return gone

    def _settings_of(self, slot: int, generation: int, force: bool) -> ChildSettings:
        return replace(self._child, slot=slot, generation=generation, force=force)

    def _write(self, level: str, text: str) -> None:
        _write(level, f"{self._name}: {text}")


def forker_for(reactor: Any, application: str) -> Forker:
    """Return the one that supervisors of this process share, unless it imports their application."""
    found = _forkers.get(application)
    if found is None or found.is_over:
        found = _forkers[application] = Forker(reactor, _write, application)
    return found


def _write(level: str, text: str) -> None:
    getattr(_log, level)("flask-wamp: {text}", text=text)


def reload_on_hangup(reactor: Any, reload: Callable[[], Any]) -> None:
    """Let SIGHUP call *reload*, beside those of other supervisors of this process."""
    if not _reloads:
        signal.signal(signal.SIGHUP, lambda _number, _frame: reactor.callFromThread(_reload_all))
    _reloads.append(reload)


def _reload_all() -> None:
    for reload in _reloads:
        reload()


def _identifier(name: str) -> str:
    """Return *name* as a part of a URI."""
    return re.sub(r"[^0-9a-z_]+", "_", name.lower()).strip("_") or "views"
