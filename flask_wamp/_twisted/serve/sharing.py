"""Serves an application from one of several processes that serve it alike, as a server's workers do.

Each process registers what it can have, and asks again for what another one has, so that it takes
over when that one has gone. WAMP has no shared subscription: every process that subscribes gets
every event. So the processes elect the one that subscribes, through the router: it is the one that
has registered a procedure that only one can have.
"""

import hashlib
import json
import logging
import random
import re
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks

from ...declare.declared import Procedure, ProcedureOptions
from ...errors import AUTHORIZATION_FAILED, NOT_AUTHORIZED
from ...state import State
from ..session import Session
from ..threads import ElasticPool
from .binding import Declared, ViewServer, watch_load
from .gates import Limits

log = logging.getLogger("flask_wamp")

#: Below this, each application has the procedure that elects who subscribes.
SUBSCRIBER = "flask_wamp.subscriber."
#: Seconds after which a process asks again for what another one has, give or take a third.
RETRY = 1.5
#: Seconds after which it asks again for what the router has refused.
REFUSED_RETRY = 20.0


def share(
    session: Session, state: State, pool: ElasticPool, limits: Limits, election: str
) -> "Deferred[None]":
    """Serve *state* with *session*, as far as the router lets this process.

    :param election: what :func:`subscriber_uri` returned when this process began.
    :returns: fires when the router has answered everything once; does not fail.
    """
    server = SharedServer(session, state, pool, limits, election)
    session.server = server
    watch_load(server, pool)
    return server.begin()


def subscriber_uri(state: State) -> str:
    """Return the procedure whose callee is the one process that subscribes for an application.

    Two applications of the same name but other topics are not the same.
    """
    name = state.app.name
    topics = sorted((each.topic, each.options.match) for each in state.registry.subscriptions)
    told = json.dumps([name, state.config.uri_prefix, topics])
    readable = re.sub(r"[^0-9a-z_]", "_", name.lower())
    return f"{SUBSCRIBER}{readable}.{hashlib.sha256(told.encode()).hexdigest()[:8]}"


class SharedServer(ViewServer):
    """Serves what this process can have, and lies in wait for the rest.

    Every method runs on the reactor's thread.
    """

    shared = True

    def __init__(
        self, session: Session, state: State, pool: ElasticPool, limits: Limits, election: str
    ) -> None:
        super().__init__(session, state, pool, limits)
        self.lost = self._end
        self._registry = state.registry
        self._app = state.app.name
        self._call_later = pool.reactor.call_later
        self._election = Procedure(
            lambda: session.session_id,
            election,
            absolute=True,
            options=ProcedureOptions(request=False, invoke="single"),
        )
        #: What the router has yet to answer.
        self._asked: set[Declared] = set()
        self._timers: dict[Declared, Any] = {}
        self._refused: dict[Declared, str] = {}
        #: Level, what was refused and why, and the remedy.
        self._news: list[tuple[int, str, str]] = []
        self._over = False

    @inlineCallbacks
    def begin(self) -> Any:
        """Ask for everything; fires when the router has answered."""
        claimed: list[Declared] = [*self._registry.procedures]
        if self._registry.subscriptions:
            claimed.append(self._election)
        yield DeferredList([self._claim(each) for each in claimed])
        if not self._over:
            count = sum(isinstance(each, Procedure) for each in self._bound)
            count -= self._election in self._bound
            log.info("%s: this process serves %d procedures", self._app, count)
            self._tell()

    def add(self, declared: Declared) -> "Deferred[Any]":
        """Serve one more procedure; events are the business of the process that subscribes."""
        if isinstance(declared, Procedure) or self._election in self._bound:
            return super().add(declared)
        if not self._is_asked_for(self._election):
            return self._ask(self._election)
        log.info("%s: another process subscribes to %r", self._app, declared.topic)
        done: Deferred[Any] = Deferred()
        done.callback(None)
        return done

    @inlineCallbacks
    def remove(self, declared: Declared) -> Any:
        """Serve a procedure or subscription no more, and ask for it no more."""
        self._stop_asking(declared)
        yield super().remove(declared)

    def revoked(self, number: int) -> None:
        """The router has taken something away; without the election, another process subscribes."""
        was_elected = self._election in self._bound
        super().revoked(number)
        if was_elected and self._election not in self._bound:
            for subscription in self._registry.subscriptions:
                # Where the session ends meanwhile, the subscription does as well.
                self.remove(subscription).addErrback(lambda _failure: None)
            self._ask_later(self._election, RETRY)

    @inlineCallbacks
    def _ask(self, declared: Declared) -> Any:
        """Ask for something after the beginning, and tell what came of it."""
        self._timers.pop(declared, None)
        yield self._claim(declared)
        self._tell()

    @inlineCallbacks
    def _claim(self, declared: Declared) -> Any:
        if declared in self._asked or declared in self._bound:
            return
        self._asked.add(declared)
        try:
            yield self._request(declared)
        except Exception as error:  # noqa: BLE001
            # Whatever the reason, it may be another one later; and the session may be over.
            if not self._over:
                yield self._take_refusal(declared, error)
            return
        finally:
            self._asked.discard(declared)
        self._refused.pop(declared, None)
        if declared is self._election:
            log.info("%s: this process handles the events", self._app)
            subscriptions = self._registry.subscriptions
            yield DeferredList([self._claim(each) for each in subscriptions])
        elif declared not in (*self._registry.procedures, *self._registry.subscriptions):
            # It was removed meanwhile.
            yield super().remove(declared)

    @inlineCallbacks
    def _take_refusal(self, declared: Declared, error: Exception) -> Any:
        """Ask again later, and take note of the reason where it is a new one."""
        kind = getattr(error, "error", type(error).__name__)
        taken = kind == ApplicationError.PROCEDURE_ALREADY_EXISTS
        self._ask_later(declared, RETRY if taken else REFUSED_RETRY)
        if self._refused.get(declared) == kind:
            return
        self._refused[declared] = kind
        if declared is self._election and taken:
            self._news.append((logging.INFO, "another process handles the events", ""))
            return
        reason = yield self._reason(declared, error)
        what = self._describe(declared)
        if taken and isinstance(declared, Procedure) and declared.options.invoke == "single":
            self._news.append((logging.INFO, f"another process has {what}", ""))
        elif taken:
            remedy = "with invoke='single' one process has it alone; this one takes over after it"
            self._news.append((logging.WARNING, f"{what}: {reason}", remedy))
        else:
            remedy = self._remedy(declared, kind)
            self._news.append((logging.ERROR, f"{what}: {reason}", remedy))

    def _remedy(self, declared: Declared, kind: str) -> str:
        if kind in (NOT_AUTHORIZED, AUTHORIZATION_FAILED):
            what = "register" if isinstance(declared, Procedure) else "subscribe to"
            return (
                f"let the role {self.session.authrole!r} {what} these, or let WAMP_URL name "
                "the transport of the services, as unix:.crossbar/router.sock"
            )
        if kind == ApplicationError.PROCEDURE_EXISTS_INVOCATION_POLICY_CONFLICT:
            return "let all of its processes give the same invoke"
        return ""

    def _describe(self, declared: Declared) -> str:
        if declared is self._election:
            return f"the procedure {self._election.name!r}, which says who handles the events,"
        return super()._describe(declared)

    def _tell(self) -> None:
        """Log what is new, a line for each level and remedy."""
        news, self._news = self._news, []
        for level, remedy in sorted({(level, remedy) for level, _text, remedy in news}):
            texts = [text for other, text, its in news if (other, its) == (level, remedy)]
            text = "; ".join(texts) + (f" -- {remedy}" if remedy else "")
            log.log(level, "%s: %s", self._app, text)

    def _ask_later(self, declared: Declared, seconds: float) -> None:
        # Spread, since the workers of a server start at the same moment.
        spread = seconds * random.uniform(0.67, 1.33)  # noqa: S311 - guards nothing # nosec B311
        self._timers[declared] = self._call_later(spread, self._ask, declared)

    def _is_asked_for(self, declared: Declared) -> bool:
        return declared in self._timers or declared in self._refused

    def _stop_asking(self, declared: Declared) -> None:
        self._refused.pop(declared, None)
        timer = self._timers.pop(declared, None)
        if timer is not None:
            timer.cancel()

    def _end(self) -> None:
        """The session is over: the next one has a server of its own."""
        self._over = True
        for declared in list(self._timers):
            self._stop_asking(declared)
        self.calls.lost()
