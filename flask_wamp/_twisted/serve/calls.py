"""Invocations: through the gates to a thread of the pool, and their outcomes to the session."""

from time import monotonic

from autobahn.wamp import message

from ...context import Invocation
from ...declare.declared import Procedure
from ...errors import (
    CANCELED,
    INVALID_PAYLOAD,
    NO_SUCH_PROCEDURE,
    UNAVAILABLE,
    ApplicationError,
)
from ...serve.dispatcher import Dispatcher
from ..flow import FLOW
from ..replies import Reply
from ..session import NO_OPTIONS, Session
from ..threads import GATE, STREAMS, STREAMS_OF_A_STRANGER, ElasticPool
from .gates import Gate, Limits
from .jobs import CallJob


class Calls:
    """Answers the invocations of a session; on the reactor's thread.

    :param limits: of the procedures' ``concurrency``, which outlive the session.
    """

    def __init__(
        self, session: Session, dispatcher: Dispatcher, pool: ElasticPool, limits: Limits
    ) -> None:
        self.session = session
        self.dispatcher = dispatcher
        self.reactor = pool.reactor
        self._pool = pool
        self._limits = limits
        self._procedures: dict[int, tuple[str, Procedure]] = {}
        self._running: dict[int, CallJob] = {}
        width = max(GATE, pool.base)
        self._outside = Gate(width)
        self._colleagues = Gate(width)

    def serve(self, number: int, uri: str, procedure: Procedure) -> None:
        """Answer the invocations of a registration."""
        self._procedures[number] = (uri, procedure)

    def forget(self, number: int) -> None:
        """Answer no further invocation of a registration, which is gone."""
        self._procedures.pop(number, None)

    def drop_limit(self, procedure: Procedure) -> None:
        """Forget how many calls of a procedure run, which is served no more."""
        self._limits.forget(procedure)

    def invoke(self, invocation: message.Invocation) -> None:
        """Begin to answer an invocation."""
        found = self._procedures.get(invocation.registration)
        if found is None:
            error = ApplicationError(NO_SUCH_PROCEDURE, "the procedure has been removed")
            self.session.refuse(invocation.request, error)
            return
        if invocation.payload is not None:
            error = ApplicationError(
                INVALID_PAYLOAD, "payload that the router does not read is not supported"
            )
            self.session.refuse(invocation.request, error)
            return
        job = CallJob(self, invocation, *found)
        self._running[invocation.request] = job
        gate = self._gate_for(job.invocation)
        limit = self._limits.of(job.procedure)
        if limit is not None and limit.is_full():
            self._refuse_busy(job, "as many calls of it as may wait do so already")
            return
        job.gate = gate
        job.limit = limit
        may_enter = limit is None or limit.admit(job)
        if may_enter and not self.enter(job) and limit is not None:
            _pass_on(limit)

    def enter(self, job: CallJob) -> bool:
        """Let a job that has a place among the calls of its procedure pass the gate.

        :returns: False where too many wait at the gate: the job was refused, and its place among
            the calls of its procedure is another's.
        """
        gate = job.gate
        if gate is None or job.canceled:
            job.gate = None
            self._pool.submit(job)
        elif gate.is_full():
            job.gate = job.limit = None
            self._refuse_busy(job, f"{gate.queue} calls wait for a thread already")
            return False
        elif gate.admit(job):
            self._pool.submit(job)
        return True

    def interrupt(self, request: int) -> None:
        """Answer with "canceled"; a view that runs already runs on, for nobody."""
        job = self._running.pop(request, None)
        if job is None:
            return
        self._withdraw(job)
        job.cancel()
        self._count(job, CANCELED)
        self.session.refuse(request, ApplicationError(CANCELED, "the call was canceled"))

    def lost(self) -> None:
        """Forget the calls that run: the router has told their callers."""
        for job in self._running.values():
            job.cancel()
            self._count(job, CANCELED)
        self._running.clear()

    def give_up(self) -> int:
        """Answer every call that is unanswered with an error, since the process ends.

        :returns: how many there were.
        """
        left, self._running = self._running, {}
        for job in left.values():
            # First for all: those that wait do not begin when others make room for them.
            job.cancel()
        for job in left.values():
            self._count(job, UNAVAILABLE)
            may_have_run = job.began is not None or job.taken is not None
            ran = "may run to its end, or may not" if may_have_run else "has not run"
            text = f"the process that serves {job.invocation.uri} stops: the call {ran}"
            self.session.refuse(
                job.request,
                ApplicationError(
                    UNAVAILABLE, text, status=503, description=text, may_have_run=may_have_run
                ),
            )
        return len(left)

    def stream(self, job: CallJob) -> None:
        """A job sends the results of a generator: it may take long, and leaves its gate."""
        gate, job.gate = job.gate, None
        if gate is None:
            return
        self._leave_gate(gate)
        # A service has one session for all of its users, a stranger one for itself.
        each = STREAMS if gate is self._colleagues else STREAMS_OF_A_STRANGER
        caller = job.invocation.caller
        if gate.streams.total() < STREAMS and gate.streams[caller] < each:
            gate.streams[caller] += 1
            job.streams_of = gate
        elif not job.canceled:
            job.cancel()
            self._refuse_busy(job, "as many calls as may send results do so already")

    def check_flow(self, job: CallJob, reply: Reply) -> None:
        """Ask the node whether the caller of a job takes its results."""
        about = [job.invocation.caller, job.token]
        self.session.call_for(reply, FLOW + "check", about, {}, NO_OPTIONS)

    def gone(self, job: CallJob) -> None:
        """The router has no session any more that the results of a job could go to."""
        if self._running.pop(job.request, None) is not None:
            self._count(job, CANCELED)
        job.cancel()

    def send_part(self, job: CallJob, value: object) -> None:
        """Send a progressive result, unless its caller has given up."""
        if job.canceled:
            return
        try:
            self.session.progress(job.request, value)
        except Exception as error:  # noqa: BLE001
            # As with a result: serializers raise errors of their own.
            self.gone(job)
            self.session.refuse_unfit(job.request, error)

    def finished(self, job: CallJob) -> None:
        """Send a job's outcome, unless its caller has given up."""
        self._give_places_back(job)
        if job.streams_of is not None:
            job.streams_of.end_stream(job.invocation.caller)
        if job.canceled:
            return
        del self._running[job.request]
        self._count(job, None if job.error is None else job.error.uri)
        if job.error is not None:
            self.session.refuse(job.request, job.error)
        else:
            self.session.answer(job.request, job.value)

    def running(self) -> int:
        """Return how many calls have no answer yet."""
        return len(self._running)

    def waiting(self) -> int:
        """Return how many of them wait for a place."""
        return self._outside.waiting() + self._colleagues.waiting() + self._limits.waiting()

    def _count(self, job: CallJob, error: str | None) -> None:
        """Let an answer be counted, where that is on."""
        meter = self.dispatcher.meter
        if meter is not None:
            meter.called(job.declared, monotonic() - job.arrived, error)

    def _leave_gate(self, gate: Gate) -> None:
        following = gate.leave()
        if following is not None:
            self._pool.submit(following)

    def _give_places_back(self, job: CallJob) -> None:
        """Let those start who wait for the places of a job that needs them no more."""
        gate, job.gate = job.gate, None
        if gate is not None:
            self._leave_gate(gate)
        limit, job.limit = job.limit, None
        if limit is not None:
            _pass_on(limit)

    def _withdraw(self, job: CallJob) -> None:
        """Give back the places of a job that will not start."""
        if job.limit is not None and job.limit.withdraw(job):
            job.limit = job.gate = None
        elif job.gate is not None and job.gate.withdraw(job):
            job.gate = None
            self._give_places_back(job)

    def _refuse_busy(self, job: CallJob, reason: str) -> None:
        text = f"busy: {reason}"
        self._running.pop(job.request, None)
        self._count(job, UNAVAILABLE)
        if self.dispatcher.meter is not None:
            self.dispatcher.meter.refused(job.declared)
        self.session.refuse(
            job.request, ApplicationError(UNAVAILABLE, text, status=503, description=text)
        )

    def _gate_for(self, invocation: Invocation) -> Gate | None:
        """Return the gate that a call has to pass; none for calls of this process's own views.

        A view that waits for a view of this process holds a thread until that one has run, so
        the inner call must not wait for the outer ones to finish. Services of the same role have
        a gate of their own, so that strangers cannot keep them out. Where the router does not
        disclose callers, what this process awaits tells its own calls.
        """
        session = self.session
        if invocation.caller is None:
            return None if session.awaits(invocation.uri) else self._outside
        if invocation.caller == session.session_id:
            return None
        return self._colleagues if invocation.caller_authrole == session.authrole else self._outside


def _pass_on(limit: Gate) -> None:
    """Give a place among the calls of a procedure to the first who passes the gate as well.

    Whose session it is does not matter: the limit outlives each.
    """
    following = limit.leave()
    while following is not None and not following.owner.enter(following):
        following = limit.leave()
