"""How far the session of a peer has come, and what its guard remembers of it."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from twisted.internet.defer import Deferred


class Stage(Enum):
    """How far a session has come."""

    OPENED = auto()
    SAID_HELLO = auto()
    CHALLENGED = auto()
    JOINED = auto()
    DISMISSED = auto()  # The router has said GOODBYE, and hears that of the peer alone.
    CUT_OFF = auto()  # Nothing of it is heard any more.


@dataclass(slots=True)
class Guarded:
    """What the guard remembers of a session.

    :ivar key: the address and the kind of login for which it stands in line; "" for none.
    :ivar waited: seconds that it was made to wait, for what others of its key have tried.
    :ivar timers: what goes on at a later time, unless the transport closes before.
    :ivar gone: what fires when the session has ended.
    """

    stage: Stage = Stage.OPENED
    key: str = ""
    waited: float = 0.0
    service: bool = False
    deadline: Any = None
    timers: list[Any] = field(default_factory=list)
    gone: "list[Deferred[bool]]" = field(default_factory=list)
