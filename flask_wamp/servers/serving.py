"""Begins to serve, in a process that a WSGI server has loaded the application into completely.

Nothing begins in a process that only imports the application: a test, a command, a Celery worker,
the parent of Flask's reloader, gunicorn's master. And nothing begins before the application is
complete: a view that is served without the guards that are declared below it would be open to all.
So whoever calls :meth:`Serving.begin` has the finished application in its hands.
"""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from flask import Flask, request, request_started

from .._twisted.reactor_thread import refuse_without_threads
from ..context import METHOD
from ..errors import NotConnected, SetupError, WAMPError
from ..state import State
from . import gunicorn, uwsgi, werkzeug

log = logging.getLogger("flask_wamp")

EXTENSION = "wamp.serving"


class Serving:
    """An application that is to be served by the processes of its WSGI server.

    :param state: of an application with ``WAMP_SERVE``.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._process: int | None = None

    def watch(self) -> None:
        """Notice when this process serves HTTP; none of this starts anything here."""
        werkzeug.watch()
        gunicorn.watch()
        uwsgi.watch(self)
        # For every other server: the application is complete when it is asked.
        request_started.connect(self._request_has_come, self._state.app)

    def begin(self) -> None:
        """Begin to serve in this process, in the background; the second time does nothing.

        A child that is forked from a process that serves does not serve as well.
        """
        if self._process is not None or self._state.app.testing:
            return
        self._process = os.getpid()
        request_started.disconnect(self._request_has_come, self._state.app)
        self._unless_refused(self._begin)

    def _begin(self) -> None:
        refuse_without_threads()
        serving = threading.Thread(
            target=self._unless_refused,
            args=(lambda: share(self._state),),
            name="flask-wamp serving",
            daemon=True,
        )
        serving.start()

    def _unless_refused(self, work: Callable[[], Any]) -> None:
        """Do *work*; the server is to answer HTTP all the same, and the log to say what failed."""
        name = self._state.app.name
        try:
            work()
        except WAMPError as error:
            log.error("%s is not served over WAMP: %s", name, error)
        except Exception:
            log.exception("%s is not served over WAMP", name)

    def _request_has_come(self, _app: Flask, **_details: Any) -> None:
        if request.method == METHOD:
            # A call that is answered through the pipeline of HTTP.
            return
        environ = request.environ
        # What Flask's test client sends is no sign of a server.
        from_test = "werkzeug.debug.preserve_context" in environ or environ.get(
            "HTTP_USER_AGENT", ""
        ).startswith("Werkzeug/")
        if not from_test:
            self.begin()


def init_app(state: State) -> None:
    """Let an application with ``WAMP_SERVE`` be served by the processes of its WSGI server."""
    serving = Serving(state)
    state.app.extensions[EXTENSION] = serving
    serving.watch()


def start(state: State, timeout: float) -> None:
    """Begin to serve now, and wait until the router has answered everything once.

    :param timeout: seconds to wait; serving begins later, where there is no router in time.
    :raises NotConnected: there was none.
    :raises SetupError: a Crossbar component serves the application in this process.
    """
    shared = share(state)
    if shared is None:
        raise SetupError(
            "wamp.start() is for processes that Crossbar does not run: in this one a Crossbar "
            "component has the application's session"
        )
    try:
        shared.result(timeout)
    except TimeoutError:
        raise NotConnected(
            f"not connected to {state.config.urls} within {timeout:g} s; this process "
            "serves once it is",
            may_have_run=False,
        ) from None


def share(state: State) -> "Future[None] | None":
    """Serve beside other processes; None where a Crossbar component has the session.

    :raises DeclarationError: an annotation cannot be checked.
    """
    from .._twisted.connection.background import BackgroundLink

    state.dispatcher.prepare()
    link = state.slot.get(lambda: BackgroundLink(state))
    if not isinstance(link, BackgroundLink):
        return None
    state.registry.freeze("WAMP_SERVE")
    return link.share()
