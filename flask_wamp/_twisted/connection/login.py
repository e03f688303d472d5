"""How a session of ours logs in to a realm."""

from typing import Any, Protocol

from autobahn.wamp.types import CloseDetails, ComponentConfig

from ..session import Session


class Connection(Protocol):
    """What is told how a session fares."""

    def session_joined(self, session: Session) -> None:
        """The router has let the session join the realm."""

    def session_left(self, details: CloseDetails) -> None:
        """The session has ended, or the router refused it."""


class ClientSession(Session):
    """A session that tells its connection how it fares."""

    def __init__(self, config: ComponentConfig, connection: Connection) -> None:
        super().__init__(config)
        self._connection = connection

    def onJoin(self, details: Any) -> None:
        """The router has let the session join the realm."""
        self._connection.session_joined(self)

    def onLeave(self, details: CloseDetails) -> Any:
        """The session has ended, or was refused."""
        self._connection.session_left(details)
        return super().onLeave(details)
