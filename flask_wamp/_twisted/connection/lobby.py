"""What waits for a session, while there is none."""

from collections.abc import Callable

from ...errors import NotConnected
from ..replies import NOT_SENT, Reply
from ..session import Session

Send = Callable[[Session, Reply], None]

#: Calls and publishes that wait for a session at the most. Those that somebody waits for are no more
#: than there are threads; this is for those that were started.
LOBBY = 10_000


class Lobby:
    """Keeps calls and publishes, in order, until there is a session or they are given up.

    Every method runs on the reactor's thread.
    """

    def __init__(self) -> None:
        self._waiting: dict[Reply, Send] = {}
        #: Whether what comes may wait: a login that the router has refused is refused again.
        self.is_open = True
        #: Whether a round of attempts is under way, whose outcome even the impatient wait for.
        self.is_connecting = True

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, reply: Reply, send: Send, absent: str) -> None:
        """Let *reply* wait, or refuse it.

        :param absent: why there is no session.
        """
        if not (self.is_connecting or (self.is_open and reply.patient)):
            refuse(reply, absent)
        elif len(self._waiting) >= LOBBY:
            refuse(
                reply,
                f"{absent}; {LOBBY} calls and publishes wait for a session already: start fewer "
                "at a time",
            )
        elif not reply.done():
            self._waiting[reply] = send

    def forget(self, reply: Reply) -> None:
        """Let *reply* wait no longer: nobody wants it any more."""
        self._waiting.pop(reply, None)

    def leave(self) -> list[tuple[Reply, Send]]:
        """Let all go, and return them in order."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.items())

    def failed(self, absent: str, *, is_refused: bool) -> None:
        """A round of attempts has failed: those who cannot wait for another are told.

        :param is_refused: a router has refused the login.
        """
        self.is_connecting = False
        self.is_open = not is_refused
        for reply in [each for each in self._waiting if is_refused or not each.patient]:
            del self._waiting[reply]
            refuse(reply, absent)


def refuse(reply: Reply, why: str) -> None:
    """Fail what was not sent."""
    reply.fail(NotConnected(f"{why}; {NOT_SENT}", may_have_run=False))
