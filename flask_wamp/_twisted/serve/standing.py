"""How a process stands to the others that serve the same application, and to what it was before."""

from collections import deque
from dataclasses import dataclass, replace

from ..session import Session

#: Sessions that a router may still take for alive, where a connection is cut again and again.
FORMER = 16


@dataclass(frozen=True)
class Standing:
    """How a process stands to the others that serve the same application.

    :ivar shared: they serve at the same time, so what names no policy is registered to be shared.
    :ivar replaces: it takes the place of another process, which has alone what it cannot have yet,
        until :meth:`SharedServer.take`.
    :ivar patience: seconds to ask again for what is registered elsewhere and is not to be; then, as
        where anything else is refused, it does not serve. None: it serves what it gets.
    :ivar former: sessions that this process had: the router takes them for alive until it notices, and
        what they have alone is taken from them.
    """

    shared: bool = True
    replaces: bool = False
    patience: float | None = None
    former: frozenset[int] = frozenset()


#: That of a WSGI server's worker.
WORKER = Standing()


class Standings:
    """The standing of each session of a process, one after another.

    :ivar standing: that of the first.
    """

    def __init__(self) -> None:
        self.standing = WORKER
        self._former: deque[int] = deque(maxlen=FORMER)

    def of(self, session: Session) -> Standing:
        """Return that of a session that has just been joined."""
        standing = replace(self.standing, former=frozenset(self._former))
        if session.session_id is not None:
            self._former.append(session.session_id)
        return standing
