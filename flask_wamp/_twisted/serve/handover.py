"""The events of an application, handed over from the process that handles them to another.

For a moment both are subscribed, so that no event is lost, and only one of them handles each: the
new one keeps what it gets until the old one has unsubscribed, has handled what it got, and has said
which publications these were. It then handles the others. Events of a topic stay in order so, and
one after another.

The two talk through the procedure that elects who subscribes, whose callee is the old one. Where that
one dies meanwhile, what it had and what it handled is not known: the new one handles all that it
has, so events of this moment may be handled twice.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from autobahn.wamp import message

#: The argument by which the procedure of the election is asked to hand over.
HAND_OVER = "hand over"
#: Seconds that handlers get for what they have, before they and the new ones run beside each other.
HANDLE_LIMIT = 10.0
#: Seconds that the new one waits for the old one.
ANSWER_LIMIT = 15.0
#: Seconds after which the old one handles events again, where nobody has taken them over.
TAKE_BACK = 20.0
#: Events that are remembered by their publication, for the new one: of about the last second.
REMEMBERED = 10_000

#: Subscription and publication.
Key = tuple[int, int]


class Desk:
    """Takes a session's events: to hand them on, or to keep them for now.

    :param hand_on: takes an event that is for this process.
    """

    def __init__(self, hand_on: Callable[[message.Event], None]) -> None:
        self._hand_on = hand_on
        self._kept: list[message.Event] | None = None
        self._taken: deque[Key] = deque(maxlen=REMEMBERED)

    def handle(self, event: message.Event) -> None:
        """Take an event."""
        if self._kept is not None:
            self._kept.append(event)
            return
        self._taken.append((event.subscription, event.publication))
        self._hand_on(event)

    def keep(self) -> None:
        """Keep the events that come from now on."""
        self._kept = []

    def release(self, handled: Iterable[Key]) -> None:
        """Hand on what was kept, but for what another process has *handled*, and what comes."""
        known = frozenset(handled)
        kept, self._kept = self._kept or [], None
        for event in kept:
            # A retained event comes to each subscriber by itself.
            if event.retained or (event.subscription, event.publication) not in known:
                self.handle(event)

    def taken(self) -> list[list[int]]:
        """Return the last events that were handed on, as they travel."""
        return [list(key) for key in self._taken]


def keys_in(answer: Any) -> set[Key]:
    """Return what :meth:`Desk.taken` has said elsewhere; nothing where it is something else."""
    try:
        return {(int(subscription), int(publication)) for subscription, publication in answer}
    except (TypeError, ValueError, OverflowError):
        return set()
