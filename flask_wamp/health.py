"""Whether a node can do its work, as the process knows that hosts the application."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """What is known about the node of an application.

    The router's process writes it, on the reactor's thread: in ``app.extensions["wamp"].health``;
    any thread may read it, since each value is replaced as a whole. Elsewhere it stays as it is made.

    :ivar joined: the process's session can be used.
    :ivar missing: the procedures of the application, and those of other services that it awaits,
        which no process serves.
    :ivar looked: whether :attr:`missing` is known by now.
    :ivar stopping: the node has been told to stop, and takes nothing new.
    """

    joined: bool = False
    missing: list[str] = field(default_factory=list)
    looked: bool = False
    stopping: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether requests and calls will be answered."""
        return self.joined and self.looked and not self.missing and not self.stopping
