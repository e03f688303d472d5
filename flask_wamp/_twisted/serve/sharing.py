"""Serves an application from one of several processes that serve it alike, as a server's workers do.

Each process registers what it can have, and asks again for what another one has, so that it takes
over when that one has gone. WAMP has no shared subscription: every process that subscribes gets
every event. So the processes elect the one that subscribes, through the router: it is the one that
has registered a procedure that only one can have.

Where a process replaces another, it takes over what that one has alone while both are there, so that
no call fails and no event is lost; see :mod:`.handover`.
"""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.exception import Error as AutobahnError
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks

from ...declare.declared import Procedure, ProcedureOptions, Subscription
from ...state import State
from ..session import Session
from ..threads import ElasticPool
from .binding import Declared
from .gates import Limits
from .refusals import CONFLICTS, callees_of, kind_of
from .standing import WORKER, Standing
from .succession import Succession
from .waiting import RETRY, WaitingServer

log = logging.getLogger("flask_wamp")

#: Below this, each application has the procedure that elects who subscribes.
SUBSCRIBER = "flask_wamp.subscriber."


def share(
    session: Session,
    state: State,
    pool: ElasticPool,
    limits: Limits,
    election: str,
    standing: Standing = WORKER,
) -> "Deferred[None]":
    """Serve *state* with *session*, as far as the router lets this process.

    :param election: what :func:`subscriber_uri` returned when this process began.
    :returns: fires when the router has answered everything once; fails with
        :class:`RegistrationFailed` where *standing* says so.
    """
    server = SharedServer(session, state, pool, limits, election, standing)
    session.server = server
    return server.begin().addCallback(lambda _: state.outbox.begin())


def subscriber_uri(state: State, service: str | None = None) -> str:
    """Return the procedure whose callee is the one process that subscribes for an application.

    :param service: what is the same for all processes that serve it, and for no other application,
        whatever their code. By default it is told by its topics, which other code may not have.
    """
    name = state.app.name
    topics = sorted((each.topic, each.options.match) for each in state.registry.subscriptions)
    told = json.dumps([name, state.config.uri_prefix, service or topics])
    readable = re.sub(r"[^0-9a-z_]", "_", name.lower())
    return f"{SUBSCRIBER}{readable}.{hashlib.sha256(told.encode()).hexdigest()[:8]}"


class SharedServer(WaitingServer):
    """Serves beside others, and subscribes where it is the one to do so.

    Every method runs on the reactor's thread.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        pool: ElasticPool,
        limits: Limits,
        election: str,
        standing: Standing = WORKER,
    ) -> None:
        super().__init__(session, state, pool, limits)
        self.shared = standing.shared
        self._standing = standing
        self._began = False
        self._app = state.app.name
        self._election = Procedure(
            lambda: session.session_id,
            election,
            absolute=True,
            options=ProcedureOptions(request=False, invoke="single"),
        )
        self._succession = Succession(self, self._election)
        self.handle = self._succession.desk.handle
        self.invoke = self._invoke
        self.interrupt = self._interrupt

    @inlineCallbacks
    def begin(self) -> Any:
        """Ask for everything; fires when the router has answered."""
        claimed: list[Declared] = [*self._registry.procedures]
        if self._registry.subscriptions:
            claimed.append(self._election)
        if self._standing.patience is None:
            yield DeferredList([self.claim(each) for each in claimed])
        else:
            yield self._all_or_fail(claimed, [self._claim_or_fail(each) for each in claimed])
        self._began = True
        if not self._over:
            log.info("%s: this process serves %d procedures", self._app, self.procedures)
            self._refusals.tell()

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """What the application subscribes to, in whichever of its processes."""
        return self._registry.subscriptions

    @property
    def subscribes(self) -> bool:
        """Whether this process handles the events."""
        return self._election in self._bound and not self._succession.is_under_way

    @inlineCallbacks
    def take(self) -> Any:
        """Take over what another process has alone, and the events.

        No call fails meanwhile: what the router has sent to the other process, that one answers.

        :returns: fires when it is so; does not fail.
        """
        yield DeferredList([self._take(each) for each in self._registry.procedures])
        if self._registry.subscriptions and not self.has(self._election):
            yield self._succession.take()
        log.info(
            "%s: this process has taken over, and serves %d procedures", self._app, self.procedures
        )
        self._refusals.tell()

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

    def revoked(self, number: int) -> None:
        """The router has taken something away; without the election, another process subscribes."""
        had = set(self._bound)
        super().revoked(number)
        for declared in had.difference(self._bound):
            if declared is self._election:
                self._succession.end()
                for subscription in self._registry.subscriptions:
                    # Where the session ends meanwhile, the subscription does as well.
                    self.remove(subscription).addErrback(lambda _failure: None)
                self._ask_later(declared, RETRY)
            elif self._is_watched and not _takes_by_force(declared):
                # Who has taken it over may be gone before this process is.
                self._ask_later(declared, RETRY)

    @property
    def _is_watched(self) -> bool:
        return self._standing.patience is not None

    def _tell_revoked(self, declared: Declared) -> None:
        if declared is self._election:
            log.info("%s: another process handles the events from now on", self._app)
        elif self._is_watched:
            what = self._describe(declared)
            log.debug("%s: another process has taken over %s", self._app, what)
        else:
            super()._tell_revoked(declared)

    def _invoke(self, invocation: message.Invocation) -> None:
        elected = self._bound.get(self._election)
        if (
            elected is not None
            and elected.id == invocation.registration
            and self._succession.is_request(invocation)
        ):
            self._succession.hand_over(invocation.request)
        else:
            self.calls.invoke(invocation)

    def _interrupt(self, request: int) -> None:
        if not self._succession.interrupt(request):
            self.calls.interrupt(request)

    @inlineCallbacks
    def _take(self, procedure: Procedure) -> Any:
        """Take a procedure from the one process that has it, or had."""
        if self._refusals.kind_of(procedure) is None:
            yield self.claim(procedure)
        kind = self._refusals.kind_of(procedure)
        if self.has(procedure) or kind not in CONFLICTS:
            return
        if kind == ApplicationError.PROCEDURE_ALREADY_EXISTS or (yield self._has_one(procedure)):
            yield self.claim(procedure, force=True)

    @inlineCallbacks
    def _has_one(self, procedure: Procedure) -> Any:
        """Tell whether a single process has registered a procedure with another policy.

        Crossbar.io 26.10 never answers who takes one from several, and breaks the registration:
        ``router/dealer.py``, ``processRegister``, changes the list that it goes through.
        """
        return len((yield callees_of(self.session, *procedure.key(self._prefix)))) == 1

    @inlineCallbacks
    def _request(self, declared: Declared, *, force: bool = False) -> Any:
        """Ask for something, and take it from a session of this process that has gone."""
        try:
            yield super()._request(declared, force=force)
        except AutobahnError as error:
            if force or kind_of(error) not in CONFLICTS or not isinstance(declared, Procedure):
                raise
            callees = yield callees_of(self.session, *declared.key(self._prefix))
            if len(callees) != 1 or not self._standing.former.issuperset(callees):
                raise
            yield super()._request(declared, force=True)

    @inlineCallbacks
    def _claim_or_fail(self, declared: Declared) -> Any:
        """Ask for something at the beginning.

        What another process may have by right is waited for; what it may not fails.
        """
        try:
            yield self._persist(
                declared, 0.0 if self._may_wait(declared) else self._standing.patience or 0.0
            )
        except AutobahnError as error:
            if not self._may_wait(declared) or kind_of(error) not in CONFLICTS:
                raise
            yield self._take_refusal(declared, error)
        else:
            yield self._have(declared)

    def _may_wait(self, declared: Declared) -> bool:
        """Tell whether another process may have it, and this one waits for its end."""
        if self._standing.replaces or declared is self._election:
            return True
        return (
            self.shared and isinstance(declared, Procedure) and declared.options.invoke == "single"
        )

    @inlineCallbacks
    def _have(self, declared: Declared) -> Any:
        """Note that the router has given something, and ask for what belongs to it."""
        yield super()._have(declared)
        if self.has(declared) and declared is self._election:
            log.info("%s: this process handles the events", self._app)
            yield DeferredList([self.claim(each) for each in self._registry.subscriptions])

    def _is_wanted(self, declared: Declared) -> bool:
        return declared is self._election or super()._is_wanted(declared)

    def _is_expected(self, declared: Declared, kind: str) -> bool:
        """Say that another process has been elected, or is to be replaced."""
        if declared is self._election and kind == ApplicationError.PROCEDURE_ALREADY_EXISTS:
            self._refusals.note_other_handles_events()
            return True
        return self._is_watched and kind in CONFLICTS and (self._standing.replaces or self._began)

    def _stop_waiting(self) -> None:
        self._succession.end()
        super()._stop_waiting()

    def _describe(self, declared: Declared) -> str:
        if declared is self._election:
            return f"the procedure {self._election.name!r}, which says who handles the events,"
        return super()._describe(declared)


def _takes_by_force(declared: Declared) -> bool:
    """Tell whether processes take something from each other whenever they ask for it."""
    return isinstance(declared, Procedure) and declared.options.force_reregister
