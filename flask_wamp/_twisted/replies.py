"""What a thread waits for: the outcome of a call or publish, or the results of a stream."""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from queue import SimpleQueue
from typing import Any, Protocol

from ..errors import StreamOverflow

#: How the texts of errors say what became of a call or publish.
MAY_HAVE_RUN = "it was sent, and may have been carried out"
NOT_SENT = "it was not sent"

#: Results of a stream that wait for their taker: at this many its callee is asked to pause.
PAUSE_AT = 512
#: At this many it may go on.
RESUME_AT = 128
#: At this many, of a callee that cannot be asked, the call is canceled.
OVERFLOW = 100_000


class Requests(Protocol):
    """The session whose requests the replies belong to; on the reactor's thread."""

    def cancel(self, reply: "Reply", mode: str | None = None) -> None:
        """Tell the router that nobody waits for the answer to a call any more."""

    def tell_flow(self, what: str, token: str) -> None:
        """Ask the callee of a stream to pause, or to resume."""


class Reply(Future[Any]):
    """What a thread waits for: the answer to a call, or the acknowledgment of a publish.

    The first outcome counts, whichever thread it comes from.

    :ivar patient: it may wait for a session; otherwise the next failure to have one is its own.
    :ivar sent: the message may have gone to the transport.
    :ivar given_up: nobody waits any more.
    """

    def __init__(self, *, patient: bool = True) -> None:
        super().__init__()
        self.session: Requests | None = None
        self.request = 0
        self.uri = ""
        self.patient = patient
        self.sent = False
        self.given_up = False

    def begin_to_send(self) -> bool:
        """Tell whether the message is still wanted; on the reactor's thread, just before it goes."""
        # First the one flag, then the look at the other, and the other way round in give_up(): so
        # what was given up as unsent is not sent.
        self.sent = True
        return not (self.given_up or self.done())

    def give_up(self, error: Callable[[bool], Exception]) -> None:
        """Fail, from any thread; unsent it is never sent.

        :param error: makes the error out of whether the message may have been sent.
        """
        self.given_up = True
        self.fail(error(self.sent))

    def succeed(self, value: Any) -> None:
        """Give the waiting thread *value*, unless it has given up."""
        with contextlib.suppress(InvalidStateError):
            self.set_result(value)

    def fail(self, error: Exception) -> None:
        """Raise *error* in the waiting thread, unless it has given up."""
        with contextlib.suppress(InvalidStateError):
            self.set_exception(error)

    def part(self, value: Any) -> None:
        """A progressive result has come; nobody has asked for one."""

    def resume(self) -> None:
        """What was paused may go on."""


class StreamReply(Reply):
    """What a thread waits for: the results of a call, one after another.

    :ivar token: names the stream to its callee, which asks whether its results are taken.
    """

    #: Stands behind the last result.
    END = object()

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.waiting: SimpleQueue[Any] = SimpleQueue()
        self.paused = False
        self.add_done_callback(lambda _: self.waiting.put(self.END))

    def part(self, value: Any) -> None:
        """A result has come: ask the callee to pause where too many wait."""
        self.waiting.put(value)
        waiting = self.waiting.qsize()
        if self.session is None:
            return
        if waiting >= OVERFLOW:
            self.fail(
                StreamOverflow(
                    f"{waiting} results of {self.uri} wait already: take them faster, or let "
                    "the callee send fewer"
                )
            )
            self.session.cancel(self)
        elif waiting >= PAUSE_AT and not self.paused:
            self.paused = True
            self.session.tell_flow("pause", self.token)
            # The taker, on its thread, may have passed the mark before it could see the pause.
            if self.waiting.qsize() <= RESUME_AT:
                self.resume()

    def resume(self) -> None:
        """The results have been taken, or the stream is over: the callee may send more."""
        if self.paused and self.session is not None:
            self.paused = False
            self.session.tell_flow("resume", self.token)


def fate(sent: bool) -> str:
    """Return how the text of an error says whether a call or publish was *sent*."""
    return MAY_HAVE_RUN if sent else NOT_SENT
