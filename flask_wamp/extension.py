"""The extension: ``WAMP``, its decorators, and serving outside Crossbar."""

import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, current_app, has_app_context

from .call import outbox
from .call.client import globals_class
from .call.link import Link
from .config import WampConfig
from .declare.declared import (
    Procedure,
    ProcedureOptions,
    Subscription,
    SubscriptionOptions,
    options_of,
)
from .declare.decorators import Declaration
from .declare.handle import Handle
from .declare.namespace import Registers
from .declare.registry import Registry
from .errors import SetupError
from .logging_in import Logins
from .login import logins
from .observe import enabling
from .outboxes import Outboxes
from .serve import typed_views
from .serve.responses import let_views_return_results
from .servers import serving
from .signals import SessionInfo
from .state import State, state_of
from .tracing import http

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from .memory.client import WampTestClient

W = TypeVar("W", bound=Callable[[SessionInfo], Any])


class WAMP(Logins, Registers, Outboxes):
    """WAMP for Flask applications: procedures, subscriptions, and ``g.wampy`` in every context.

    Declarations made with its decorators serve every application that it is initialised with;
    configuration and connection belong to each application.

    :param app: the application, where it exists already; else call :meth:`init_app`.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._registry = Registry()
        self._apps: weakref.WeakSet[Flask] = weakref.WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up *app*: check its configuration, and give its contexts ``g.wampy``; start nothing.

        :raises ConfigError: a configuration value is invalid.
        :raises SetupError: it is no Flask application, or has a WAMP extension already.
        """
        if not isinstance(app, Flask):
            raise SetupError(
                f"{type(app).__module__}.{type(app).__qualname__} is not a Flask application, "
                "which is what WAMP(app) and init_app(app) take"
            )
        if "wamp" in app.extensions:
            raise SetupError(
                f"the Flask application {app.name!r} has a WAMP extension already: call init_app "
                "once for each application, or give WAMP(app) and init_app(app) only one"
            )
        config = WampConfig.from_mapping(app.config)
        self._registry.add_prefix(config.uri_prefix)
        state = State(app, self._registry, config, _background_link)
        app.extensions["wamp"] = state
        app.app_ctx_globals_class = globals_class(app.app_ctx_globals_class, state.client)
        let_views_return_results(app)
        outbox.init_app(app)
        http.init_app(app)
        typed_views.init_app(app, self._registry)
        logins.init_app(app, state.ask)
        if config.serve:
            serving.init_app(state)
        # dictConfig disables by default what was imported before it: that would fail silently.
        logging.getLogger("flask_wamp").disabled = False
        enabling.count_for(state)
        self._apps.add(app)

    def on_join(self, function: W) -> W:
        """Declare a function to be called when a session of this process has joined.

        It gets a :class:`~flask_wamp.SessionInfo`, and runs in an application context, on a
        thread of its own, after everything is registered where this process serves; so again
        after each lost connection. Functions run one after another, with those of
        :meth:`on_leave`.

        :raises DeclarationError: it does not take one argument.
        """
        self._registry.add_watcher(function, joins=True)
        return function

    def on_leave(self, function: W) -> W:
        """Declare a function to be called when a session of this process has ended.

        It gets a :class:`~flask_wamp.SessionInfo` with the ``reason``; see :meth:`on_join`.
        When the process ends, it has a second.

        :raises DeclarationError: it does not take one argument.
        """
        self._registry.add_watcher(function, joins=False)
        return function

    def add_procedure(
        self,
        function: Callable[..., Any],
        uri: str | None = None,
        *,
        app: Flask | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Handle:
        """Declare a procedure as :meth:`callee` does, at any time.

        In a process that serves, it is registered before this returns.

        :param app: by default the current application, or the only one.
        :param timeout: seconds to register in; by default ``WAMP_TIMEOUT``.
        :param options: those of :meth:`callee`.
        :returns: a handle with which to remove it.
        :raises DeclarationError: the URI is invalid, or taken, or an option cannot be.
        :raises RegistrationFailed: the router refused.
        :raises SetupError: this process only calls and publishes.
        """
        checked = options_of(ProcedureOptions, "add_procedure", options)
        state = self._state(app)
        return self._add(
            state,
            lambda: self._registry.add_procedure(function, uri, checked, late=True),
            timeout,
        )

    def add_subscription(
        self,
        function: Callable[..., Any],
        topic: str,
        *,
        app: Flask | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Handle:
        """Declare a handler as :meth:`subscribe` does, at any time; see :meth:`add_procedure`.

        :param options: those of :meth:`subscribe`.
        """
        checked = options_of(SubscriptionOptions, "add_subscription", options)
        state = self._state(app)
        return self._add(
            state,
            lambda: self._registry.add_subscription(function, topic, checked, late=True),
            timeout,
        )

    def start(self, app: Flask | None = None, *, timeout: float | None = None) -> None:
        """Serve the procedures and subscriptions of an application from this process.

        For processes that Crossbar does not run: a script, ``flask run``, a test. Returns once
        everything is registered; after a lost connection all is registered again by itself.

        With ``WAMP_SERVE`` it serves beside other processes that do so, and what the router refuses
        is logged and asked for again, not raised.

        :param app: by default the current application, or the only one.
        :param timeout: seconds to connect and register in; by default ``WAMP_TIMEOUT``.
        :raises NotConnected: no session within the timeout.
        :raises RegistrationFailed: the router refused; the text names each procedure.
        :raises SetupError: a Crossbar component serves the application in this process.
        """
        from ._twisted.connection.background import BackgroundLink

        state = self._state(app)
        seconds = state.config.seconds(timeout)
        if state.config.serve:
            serving.start(state, seconds)
            return
        state.dispatcher.prepare()
        link = state.slot.get(lambda: BackgroundLink(state, serving=True))
        if not isinstance(link, BackgroundLink):
            raise SetupError(
                "wamp.start() is for processes that Crossbar does not run: in this one a Crossbar "
                "component, or a test client, has the application's session"
            )
        self._registry.freeze("WAMP.start()")
        link.serve(seconds)

    def stop(self, app: Flask | None = None) -> None:
        """End serving and the connection of this process; calls in flight raise at once.

        The next use of ``g.wampy`` connects again. Does nothing where there is no connection.

        :param app: by default the current application, or the only one.
        """
        state = self._state(app)
        state.outbox.end()
        link = state.slot.link
        if link is None:
            return
        from ._twisted.connection.background import BackgroundLink

        if isinstance(link, BackgroundLink):
            state.slot.attach(None)
            link.close()

    def test_client(
        self,
        app: Flask | None = None,
        *,
        authid: str | None = "tester",
        authrole: str | None = "backend",
        session: int | None = None,
        http: "FlaskClient | None" = None,
        propagate: bool | None = None,
        deliver: bool = True,
    ) -> "WampTestClient":
        """Return what calls an application in memory: ``with wamp.test_client() as client``.

        :param app: by default the current application, or the only one.

        For the other parameters see :class:`~flask_wamp.testing.WampTestClient`.
        """
        from .memory.client import WampTestClient

        return WampTestClient(
            self._only_app() if app is None else app,
            authid=authid,
            authrole=authrole,
            session=session,
            http=http,
            propagate=propagate,
            deliver=deliver,
        )

    def _make(self, declaration: Declaration) -> None:
        declaration(self._registry)

    def _add(
        self, state: State, declare: Callable[[], Procedure | Subscription], timeout: float | None
    ) -> Handle:
        """Declare, and serve at once where the declarations of *state* are served."""
        registry = self._registry
        seconds = state.config.seconds(timeout)
        declared = declare()
        try:
            state.dispatcher.prepare()
            link = state.slot.link
            if link is not None:
                link.add(declared, seconds)
        except BaseException:
            registry.remove(declared)
            raise

        def remove(timeout: float | None) -> None:
            registry.remove(declared)
            link = state.slot.link
            if link is not None:
                link.remove(declared, state.config.seconds(timeout))

        if isinstance(declared, Procedure):
            return Handle(declared.uri(state.config.uri_prefix), remove)
        return Handle(declared.topic, remove)

    def _state(self, app: Flask | None) -> State:
        if app is None:
            app = self._only_app()
        return state_of(app)

    def _only_app(self) -> Flask:
        if has_app_context():
            return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return] # noqa: SLF001
        apps = list(self._apps)
        if len(apps) != 1:
            raise SetupError(
                f"which application? This WAMP has {len(apps)}: pass it, wamp.start(app), or call "
                "from within its application context"
            )
        return apps[0]


def _background_link(state: State) -> Link:
    # Twisted is imported at the first use, so that importing the extension loads no reactor:
    # one that gevent or a fork comes after would be unusable.
    from ._twisted.connection.background import BackgroundLink

    return BackgroundLink(state)
