"""What a router refuses to one of several processes, told once, with the remedy."""

import logging
from typing import Any, NamedTuple

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.exception import Error as AutobahnError
from twisted.internet.defer import inlineCallbacks

from ...declare.declared import Procedure, Subscription
from ...errors import AUTHORIZATION_FAILED, NOT_AUTHORIZED
from ..session import Session

log = logging.getLogger("flask_wamp")

Declared = Procedure | Subscription

#: What the router says of a procedure that somebody else has registered.
CONFLICTS = (
    ApplicationError.PROCEDURE_ALREADY_EXISTS,
    ApplicationError.PROCEDURE_EXISTS_INVOCATION_POLICY_CONFLICT,
)


def kind_of(error: object) -> str:
    """Return the URI of an error of the router's, or the name of another error."""
    return str(getattr(error, "error", "")) or type(error).__name__


@inlineCallbacks
def callees_of(session: Session, uri: str, match: str) -> Any:
    """Return the sessions that have registered a procedure; a Deferred of a list, empty also where
    this role may not ask.
    """
    try:
        number = yield session.call("wamp.registration.lookup", uri, {"match": match})
        callees = yield session.call("wamp.registration.list_callees", number)
    except AutobahnError:
        return []
    return list(callees or ())


class _News(NamedTuple):
    level: int
    text: str
    remedy: str


class Refusals:
    """What was refused by now, and what of it nobody has been told.

    :param app: the name of the application.
    :param authrole: the role of the session.
    """

    def __init__(self, app: str, authrole: str | None) -> None:
        self._app = app
        self._authrole = authrole
        self._kinds: dict[Declared, str] = {}
        self._news: list[_News] = []

    def kind_of(self, declared: Declared) -> str | None:
        """Return the error of the last refusal; None where it is not refused."""
        return self._kinds.get(declared)

    def forget(self, declared: Declared) -> None:
        """It is refused no more, or not asked for."""
        self._kinds.pop(declared, None)

    def is_new(self, declared: Declared, kind: str) -> bool:
        """Take a refusal, and tell whether it is another one than the last."""
        is_new = self._kinds.get(declared) != kind
        self._kinds[declared] = kind
        return is_new

    def note_other_handles_events(self) -> None:
        """Another process has been elected."""
        self._news.append(_News(logging.INFO, "another process handles the events", ""))

    def note(self, declared: Declared, kind: str, what: str, reason: str) -> None:
        """Have something to tell: *what* was refused, and the *reason* in words."""
        taken = kind == ApplicationError.PROCEDURE_ALREADY_EXISTS
        if taken and isinstance(declared, Procedure) and declared.options.invoke == "single":
            self._news.append(_News(logging.INFO, f"another process has {what}", ""))
        elif taken:
            remedy = "with invoke='single' one process has it alone; this one takes over after it"
            self._news.append(_News(logging.WARNING, f"{what}: {reason}", remedy))
        else:
            remedy = self._remedy(declared, kind)
            self._news.append(_News(logging.ERROR, f"{what}: {reason}", remedy))

    def tell(self) -> None:
        """Log what is new, a line for each level and remedy."""
        news, self._news = self._news, []
        for level, remedy in sorted({(each.level, each.remedy) for each in news}):
            texts = [each.text for each in news if (each.level, each.remedy) == (level, remedy)]
            text = "; ".join(texts) + (f" -- {remedy}" if remedy else "")
            log.log(level, "%s: %s", self._app, text)

    def _remedy(self, declared: Declared, kind: str) -> str:
        if kind in (NOT_AUTHORIZED, AUTHORIZATION_FAILED):
            what = "register" if isinstance(declared, Procedure) else "subscribe to"
            return (
                f"let the role {self._authrole!r} {what} these, or let WAMP_URL name "
                "the transport of the services, as unix:.crossbar/router.sock"
            )
        if kind == ApplicationError.PROCEDURE_EXISTS_INVOCATION_POLICY_CONFLICT:
            return "let all of its processes give the same invoke"
        return ""
