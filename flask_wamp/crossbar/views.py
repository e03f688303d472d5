"""The session that serves; for a container."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from .._twisted.serve.binding import bind
from .._twisted.serve.gates import Limits
from .._twisted.serve.leaving import finish
from .._twisted.supervise.service import Service
from .._twisted.supervise.settings import ChildSettings
from .._twisted.threads import ElasticPool
from .session import AppSession
from .watchdog import watchdog_of


class ViewsSession(AppSession):
    """Serves an application's procedures and subscriptions; for a container.

    With ``"extra": {"processes": 2}`` it imports no application, and lets as many processes serve it,
    which it supervises; see :class:`~flask_wamp._twisted.supervise.settings.Settings`.
    """

    _service: Service | None = None

    def onConnect(self) -> None:
        """Join the realm, to serve or to supervise."""
        if self._settings.processes and not self._stopping:
            self.join(self.config.realm)
        else:
            super().onConnect()

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register everything; the process ends where the router refuses anything."""
        if self._settings.processes:
            yield self._supervise()
            return
        state = self._state
        if state is None:
            return
        self._link.attach(self)
        pool = ElasticPool(state.config.threads, self._queue)
        pool.start()
        state.registry.freeze(f"{type(self).__name__} of the node")
        try:
            state.dispatcher.prepare()
            yield bind(self, state, pool, Limits())
        except Exception as error:  # noqa: BLE001
            # Refused by the router or lost on the way, the remedy is the reader's: a restart.
            self.fail(str(error))
            yield Deferred()
        self.log.info(
            "flask-wamp: {count} procedures of {application} are registered",
            count=len(state.registry.procedures),
            application=self._application,
        )
        watchdog_of(self._reactor).started(self._settings.watchdog)
        self.tell_joined()

    def _load(self) -> None:
        if not self._settings.processes:
            super()._load()

    @inlineCallbacks
    def _supervise(self) -> Any:
        """Fires when all processes serve; the node is not ready before."""
        url = self._settings.url or self._socket_url()
        if not url:
            self.fail(
                'where the processes find the router is not known: write "extra": {"url": '
                '"unix:router.sock"}, or let the component connect over a Unix socket'
            )
            yield Deferred()
        child = ChildSettings(
            self._application,
            url,
            str(self.config.realm),
            login=self._settings.url is not None,
            factories=self.factories,
            by=f"{type(self).__name__} of the node",
            log_level=logging.getLogger().level,
        )
        name = type(self).__name__
        if type(self) is ViewsSession:
            name = _worker_id() or name
        service = Service(self._reactor, name, self._settings, child, self.fail)
        self._service = service
        yield service.attach(self)
        service.start()
        yield service.ready
        self.log.info(
            "flask-wamp: {count} processes serve {application}",
            count=self._settings.processes,
            application=self._application,
        )
        watchdog_of(self._reactor).started(self._settings.watchdog)
        self.tell_joined()

    def _socket_url(self) -> str | None:
        """Return the Unix socket that this session is connected to, or None."""
        protocol: Any = self.transport
        peer = getattr(protocol.transport.getPeer(), "name", None)
        path = Path.cwd() / os.fsdecode(peer) if peer else None
        return f"unix:{path}" if path else None

    def _finish(self) -> Any:
        super()._finish()
        if self._settings.processes:
            return self._service and self._service.finish(self)
        return finish(self, self._reactor, self._settings.grace)

    def _release(self) -> Any:
        super()._release()
        return self._service and self._service.close()


def _worker_id() -> str:
    """Return the worker's name in the node's configuration; empty where Crossbar.io has not said it."""
    arguments = sys.argv[1:]
    return arguments[arguments.index("--worker") + 1] if "--worker" in arguments[:-1] else ""
