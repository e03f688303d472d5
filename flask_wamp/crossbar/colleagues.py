"""The supervisors that a router knows, and which sessions their processes have."""

import re
from typing import Any, NamedTuple, Protocol

from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import inlineCallbacks

_STATUS = re.compile(r"flask_wamp\.supervisor\.(.+)\.status")
#: The router has let the registration go meanwhile.
_GONE = "wamp.error.no_such_registration"
#: Seconds that a supervisor has to answer.
ANSWER_WITHIN = 2.0


class Caller(Protocol):
    """The session that asks the router."""

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure; a Deferred."""


class Supervised(NamedTuple):
    """What a supervisor tells of its processes.

    :ivar name: what it is called by.
    :ivar processes: how many there are to be.
    :ivar sessions: those of the processes that serve.
    """

    name: str
    processes: int
    sessions: frozenset[int]

    @property
    def is_whole(self) -> bool:
        """Whether every process serves."""
        return len(self.sessions) == self.processes


class Colleagues:
    """Finds the supervisors, and asks them."""

    def __init__(self, session: Caller, reactor: Any) -> None:
        self._session = session
        self._reactor = reactor
        #: The URIs of registrations, whose ids mean the same for ever; None where none is told.
        self._uris: dict[int, str | None] = {}

    @inlineCallbacks
    def supervised(self) -> Any:
        """Return what each supervisor tells that answers; a Deferred of a list."""
        try:
            listed = yield self._session.call("wamp.registration.list")
        except ApplicationError:
            return []  # this role may not ask
        numbers = set(listed["exact"])
        self._uris = {number: uri for number, uri in self._uris.items() if number in numbers}
        for number in sorted(numbers - self._uris.keys()):
            yield self._learn(number)
        found = []
        for uri in self._uris.values():
            named = _STATUS.fullmatch(uri or "")
            if named and (told := (yield self._ask(uri or "", named[1]))) is not None:
                found.append(told)
        return found

    @inlineCallbacks
    def _learn(self, number: int) -> Any:
        try:
            found = yield self._session.call("wamp.registration.get", number)
        except ApplicationError as error:
            if error.error != _GONE:
                self._uris[number] = None  # it is the router's own
        else:
            self._uris[number] = found["uri"]

    @inlineCallbacks
    def _ask(self, uri: str, name: str) -> Any:
        """Return what a supervisor tells, None where it does not."""
        try:
            told = yield self._session.call(uri).addTimeout(ANSWER_WITHIN, self._reactor)
            sessions = [slot.get("session") for slot in told["slots"] if slot["ready"]]
            return Supervised(
                name,
                len(told["slots"]),
                frozenset(number for number in sessions if type(number) is int),
            )
        except Exception:  # noqa: BLE001
            # It has gone, hangs, or is something else by this name: it vouches for nobody.
            return None
