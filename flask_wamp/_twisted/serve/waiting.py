"""Registers what it can have, and asks again for the rest: another process has it, or may give it."""

import random
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred, inlineCallbacks

from ...state import State
from ..session import Session
from ..threads import ElasticPool
from .binding import Declared, ViewServer
from .gates import Limits
from .refusals import Refusals, kind_of

#: Seconds after which a process asks again for what another one has, give or take a third.
RETRY = 1.5
#: Seconds after which it asks again for what the router has refused.
REFUSED_RETRY = 20.0


class WaitingServer(ViewServer):
    """Serves what this process can have, and lies in wait for the rest.

    Every method runs on the reactor's thread.
    """

    def __init__(self, session: Session, state: State, pool: ElasticPool, limits: Limits) -> None:
        super().__init__(session, state, pool, limits)
        self.lost = self._end
        self._registry = state.registry
        #: What the router has yet to answer.
        self._asked: dict[Declared, Deferred[None]] = {}
        self._timers: dict[Declared, Any] = {}
        self._refusals = Refusals(state.app.name, session.authrole)
        self._over = False

    @property
    def procedures(self) -> int:
        """How many procedures this process serves."""
        served = set(self._registry.procedures)
        return sum(declared in served for declared in self._bound)

    def has(self, declared: Declared) -> bool:
        """Tell whether the router has given it to this process."""
        return declared in self._bound

    def nudge(self) -> None:
        """Ask now for what was refused: who had it may be gone."""
        for declared in list(self._timers):
            self._stop_timer(declared)
            self._ask(declared)

    def drain(self, grace: float) -> "Deferred[int]":
        """Serve nothing more, and ask for nothing more."""
        self._stop_waiting()
        return super().drain(grace)

    @inlineCallbacks
    def remove(self, declared: Declared) -> Any:
        """Serve a procedure or subscription no more, and ask for it no more."""
        self._stop_asking(declared)
        yield super().remove(declared)

    @inlineCallbacks
    def _ask(self, declared: Declared) -> Any:
        """Ask for something after the beginning, and tell what came of it."""
        yield self.claim(declared)
        self._refusals.tell()

    @inlineCallbacks
    def claim(self, declared: Declared, *, force: bool = False) -> Any:
        """Ask for something that this process does not have; where it is refused, again later."""
        while force and declared in self._asked:
            yield self._asked[declared]
        if declared in self._asked or declared in self._bound:
            return
        answered = self._asked[declared] = Deferred()
        try:
            yield self._request(declared, force=force)
        except Exception as error:  # noqa: BLE001
            # Whatever the reason, it may be another one later; and the session may be over.
            if not self._over:
                yield self._take_refusal(declared, error)
            return
        finally:
            del self._asked[declared]
            answered.callback(None)
        yield self._have(declared)

    @inlineCallbacks
    def _have(self, declared: Declared) -> Any:
        """Note that the router has given something."""
        self._stop_asking(declared)
        if not self._is_wanted(declared):
            # It was removed meanwhile.
            yield super().remove(declared)

    def _is_expected(self, declared: Declared, kind: str) -> bool:
        """Tell whether a refusal is as it should be, and nothing to tell in detail."""
        return False

    def _is_wanted(self, declared: Declared) -> bool:
        return declared in (*self._registry.procedures, *self._registry.subscriptions)

    @inlineCallbacks
    def _take_refusal(self, declared: Declared, error: Any) -> Any:
        """Ask again later, and take note of the reason where it is a new one."""
        kind = kind_of(error)
        taken = kind == ApplicationError.PROCEDURE_ALREADY_EXISTS
        self._ask_later(declared, RETRY if taken else REFUSED_RETRY)
        if not self._refusals.is_new(declared, kind) or self._is_expected(declared, kind):
            return
        reason = yield self._reason(declared, error)
        self._refusals.note(declared, kind, self._describe(declared), reason)

    def _ask_later(self, declared: Declared, seconds: float) -> None:
        if self.is_draining or self._over:
            return
        # Spread, since the workers of a server start at the same moment.
        spread = seconds * random.uniform(0.67, 1.33)  # noqa: S311 - guards nothing # nosec B311
        self._stop_timer(declared)
        self._timers[declared] = self.pool.reactor.call_later(spread, self._ask_again, declared)

    def _ask_again(self, declared: Declared) -> None:
        """Ask for what was refused, and with what another process has for all that others have.

        In one go, so that the router answers it in one: what that process had alone is to be in one
        process again when it has gone, not shared out among those that wait for it.
        """
        del self._timers[declared]
        together = [declared]
        if self._is_taken(declared):
            together += [each for each in self._timers if self._is_taken(each)]
        for each in together:
            self._stop_timer(each)
            self._ask(each)

    def _is_taken(self, declared: Declared) -> bool:
        return self._refusals.kind_of(declared) == ApplicationError.PROCEDURE_ALREADY_EXISTS

    def _is_asked_for(self, declared: Declared) -> bool:
        return declared in self._timers or self._refusals.kind_of(declared) is not None

    def _stop_asking(self, declared: Declared) -> None:
        self._refusals.forget(declared)
        self._stop_timer(declared)

    def _stop_timer(self, declared: Declared) -> None:
        timer = self._timers.pop(declared, None)
        if timer is not None:
            timer.cancel()

    def _end(self) -> None:
        """The session is over: the next one has a server of its own."""
        self._over = True
        self._stop_waiting()
        self.calls.lost()

    def _stop_waiting(self) -> None:
        for declared in list(self._timers):
            self._stop_asking(declared)
