"""What the extension keeps for one application, in ``app.extensions["wamp"]``."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from flask import Flask

from .call.client import Client
from .call.link import Link
from .call.options import Options
from .config import WampConfig
from .declare.registry import Registry
from .durable.outbox import Outbox
from .errors import SetupError
from .health import Health
from .login.callers import Callers
from .serve.dispatcher import Dispatcher

#: The router's process has the answer at hand; who waits for it are a page and a thread.
_OF_QUESTIONS = Options(timeout=3.0)


class LinkSlot:
    """Holds an application's link, and makes one at the first use where nobody attached one.

    A fork empties the slot of the child: a session belongs to the process that opened it. uWSGI forks
    without telling Python, so the slot knows whose link it holds.
    """

    def __init__(self) -> None:
        self._link: Link | None = None
        self._process = 0
        # One for each process, and made at the first use: one that is made before gevent or eventlet
        # patches, as under gunicorn's --preload, would stop every green thread while one holds it.
        self._locks: dict[int, threading.Lock] = {}
        _slots.add(self)

    @property
    def link(self) -> Link | None:
        """The link, or None where none was made yet."""
        return self._link if self._process == os.getpid() else None

    def attach(self, link: Link | None) -> None:
        """Use *link* from now on, or none."""
        self._process = os.getpid()
        self._link = link

    def get(self, make: Callable[[], Link]) -> Link:
        """Return the link, made by *make* where there is none yet."""
        link = self.link
        if link is not None:
            return link
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            link = self.link
            if link is None:
                link = make()
                self.attach(link)
            return link

    def reset(self) -> None:
        """Be empty, in the child of a fork."""
        self._link = None
        self._locks.clear()


_slots: weakref.WeakSet[LinkSlot] = weakref.WeakSet()


def _reset_slots() -> None:
    for slot in list(_slots):
        slot.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_slots)


class State:
    """One application's configuration, declarations, dispatcher and link.

    :param make_link: makes the link at its first use, where no Crossbar component gave one.
    """

    def __init__(
        self,
        app: Flask,
        registry: Registry,
        config: WampConfig,
        make_link: Callable[["State"], Link],
    ) -> None:
        self.app = app
        self.registry = registry
        self.config = config
        self.default_options = Options(timeout=config.timeout)
        self.slot = LinkSlot()
        self.client = Client(self)
        self.outbox = Outbox(self)
        self.callers = Callers(self._ask_if_linked)
        self.dispatcher = Dispatcher(app, registry, self.callers)
        self.health = Health()
        #: Wraps the link where the application's metrics are on.
        self.measured: Callable[[Link], Link] | None = None
        self._make_link = make_link

    def link(self) -> Link:
        """Return the link for the application's own calls; see :meth:`linked`."""
        link = self.linked()
        return link if self.measured is None else self.measured(link)

    def linked(self) -> Link:
        """Return the link, which is started here where there is none yet."""
        return self.slot.get(lambda: self._make_link(self))

    def ask(self, uri: str, args: list[Any]) -> Any:
        """Call a procedure of the router's process, which has the answer at hand."""
        return self.linked().call(uri, args, {}, _OF_QUESTIONS)

    def _ask_if_linked(self, uri: str, args: list[Any]) -> Any:
        return None if self.slot.link is None else self.ask(uri, args)


def state_of(app: Flask) -> State:
    """Return the state of *app*.

    :raises SetupError: the application has no WAMP extension.
    """
    state = app.extensions.get("wamp")
    if not isinstance(state, State):
        raise SetupError(
            f"the Flask application {app.name!r} has no WAMP extension: call wamp.init_app(app)"
        )
    return state
