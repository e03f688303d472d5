"""An application's outbox: where it is, what writes into it, and what sends from it."""

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

from flask import Flask

from ..call.link import Link
from ..call.options import Options
from ..config import WampConfig
from ..declare.registry import Registry
from ..errors import OptionError, SetupError
from ..tracing.current import outgoing
from .databases import Database, LentSqlite, database_of, is_missing, path_of
from .events import encoded
from .lease import Lease, new_owner
from .relay import Relay
from .sending import Sender
from .store import Store
from .writing import write_row


class Application(Protocol):
    """The application whose outbox it is."""

    app: Flask
    registry: Registry
    config: WampConfig

    def link(self) -> Link:
        """Return the link."""


class Outbox:
    """Takes durable events inside the application's transactions, and has them sent.

    :param owner: the application.
    """

    def __init__(self, owner: Application) -> None:
        self._owner = owner
        self._relay: Relay | None = None
        self._process = 0

    def add(
        self,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        options: Options,
        durable: bool | str = True,
    ) -> str:
        """Write an event into the transaction that the application is in, and return its id.

        See :class:`~flask_wamp.call.link.DurableOutbox`.
        """
        event_id = uuid4().hex
        if durable is not True:
            kwargs = _with_id(kwargs, durable, event_id)
        handle = self.source()()
        payload, given = encoded(topic, args, kwargs, options)
        row = {
            "event_id": event_id,
            "carried": outgoing(event_id=event_id),
            "topic": topic,
            "payload": payload,
            "options": given,
            "created": time.time(),
        }
        write_row(handle, row)
        relay = self.relay
        if relay is not None:
            relay.wake()
        return event_id

    def source(self) -> Callable[[], Any]:
        """Return the function that returns the application's connection or session.

        :raises SetupError: there is none.
        """
        declared = self._owner.registry.outbox
        if declared is not None:
            return declared
        flask_sqlalchemy: Any = self._owner.app.extensions.get("sqlalchemy")
        if hasattr(flask_sqlalchemy, "session"):
            return lambda: flask_sqlalchemy.session
        raise SetupError(
            f"the application {self._owner.app.name!r} has no outbox: put @wamp.outbox on the function "
            "that returns its sqlite3 connection or SQLAlchemy session, as in wamp.outbox(get_db)"
        )

    @property
    def is_declared(self) -> bool:
        """Whether the application says where its outbox is."""
        return self._owner.registry.outbox is not None or hasattr(
            self._owner.app.extensions.get("sqlalchemy"), "session"
        )

    def database(self) -> Database:
        """Return a way of its own to the database of the outbox.

        :raises SetupError: there is no outbox, or it is nowhere that another connection reaches.
        """
        with self._owner.app.app_context():
            return database_of(self.source()())

    @property
    def relay(self) -> Relay | None:
        """The relay of this process; None where there is none, as after a fork."""
        return self._relay if self._process == os.getpid() else None

    def begin(self) -> None:
        """Send from this process, where the application has an outbox; again after :meth:`hold`."""
        relay = self.relay
        if relay is not None:
            relay.go_on()
        elif self.is_declared:
            self._process = os.getpid()
            self._relay = Relay(self._owner, self.database)
            self._relay.start()

    def hold(self) -> None:
        """Send nothing until :meth:`begin`: what this process handles would pass it by."""
        relay = self.relay
        if relay is not None:
            relay.hold()

    def send_now(self) -> int:
        """Send all that is committed, on this thread, and return how many events were accepted.

        For tests: it waits for nobody, so an event that is refused is set aside at once, and it ends
        where there is no session.
        """
        with self._owner.app.app_context():
            handle = self.source()()
            is_lent = isinstance(handle, sqlite3.Connection) and not path_of(handle)
            database = LentSqlite(handle) if is_lent else database_of(handle)
            sender = Sender(self._owner, Store(database), Lease(new_owner()), lambda: True)
            try:
                while sender.turn() is not None and not sender.is_absent:
                    pass
                sender.release()
            except Exception as error:
                # Nothing was ever written.
                if not is_missing(error):
                    raise
            finally:
                database.close()
            return sender.accepted

    def end(self) -> None:
        """Send no more from this process."""
        relay, self._relay = self.relay, None
        if relay is not None:
            relay.end()


def _with_id(kwargs: dict[str, Any], keyword: object, event_id: str) -> dict[str, Any]:
    """Return *kwargs* with the id of the event in *keyword*."""
    if not isinstance(keyword, str) or not keyword.isidentifier():
        raise OptionError(
            f"publish(durable={keyword!r}): give True, or the name of the keyword argument that has "
            "the event's id as well, as in 'event_id'"
        )
    if keyword in kwargs:
        raise OptionError(
            f"publish(durable={keyword!r}, {keyword}=...): the id goes into that keyword; name "
            "another one"
        )
    return {**kwargs, keyword: event_id}
