"""The session that serves; for a container."""

from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from .._twisted.serve.binding import bind
from .._twisted.serve.gates import Limits
from .._twisted.serve.leaving import finish
from .._twisted.threads import ElasticPool
from .session import AppSession
from .watchdog import watchdog_of


class ViewsSession(AppSession):
    """Serves an application's procedures and subscriptions; for a container."""

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register everything; the process ends where the router refuses anything."""
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

    def _finish(self) -> Any:
        super()._finish()
        return finish(self, self._reactor, self._settings.grace)
