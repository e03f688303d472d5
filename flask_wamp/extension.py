"""The extension: ``WAMP``, its decorators, and serving outside Crossbar."""

import weakref
from collections.abc import Callable
from typing import Any, TypeVar, overload

from flask import Flask, current_app, has_app_context

from .client import Client
from .config import WampConfig
from .errors import DeclarationError, SetupError
from .link import Link
from .registry import Registry
from .state import State, state_of

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=type[Exception])


class WAMP:
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
        """Set up *app*: check its configuration, and give its contexts ``g.wampy``.

        Nothing is connected or started here.

        :raises ConfigError: a configuration value is invalid.
        :raises SetupError: the application has a WAMP extension already.
        """
        if "wamp" in app.extensions:
            raise SetupError(
                f"the Flask application {app.name!r} has a WAMP extension already: call init_app "
                "once for each application, or give WAMP(app) and init_app(app) only one"
            )
        config = WampConfig.from_mapping(app.config)
        self._registry.add_prefix(config.uri_prefix)
        state = State(app, self._registry, config, _background_link)
        app.extensions["wamp"] = state
        app.app_ctx_globals_class = _globals_class(app.app_ctx_globals_class, state.client)
        self._apps.add(app)

    @overload
    def callee(self, uri: F, /) -> F: ...

    @overload
    def callee(self, uri: str | None = None, /, *, request: bool = True) -> Callable[[F], F]: ...

    def callee(self, uri: F | str | None = None, /, *, request: bool = True) -> Any:
        """Declare a procedure: ``@wamp.callee``, or ``@wamp.callee("com.example.add")``.

        Stacks with ``@app.route`` in either order; a view that is both answers a call through the
        pipeline that HTTP runs.

        :param uri: the procedure's URI; by default the function's name behind
            ``WAMP_URI_PREFIX``.
        :param request: False gives an application context only, even to a view that is a route:
            its ``before_request`` guards do not run then.
        :raises DeclarationError: the URI is invalid, or taken.
        """
        if callable(uri):
            self._registry.add_procedure(uri)
            return uri

        def declare(function: F) -> F:
            self._registry.add_procedure(function, uri, request=request)
            return function

        return declare

    def subscribe(self, topic: str) -> Callable[[F], F]:
        """Declare a handler of *topic*'s events: ``@wamp.subscribe("com.example.spam")``.

        The handler gets the event's positional and keyword payload as its arguments. Events of
        one subscription are handled one after another, in the order in which they came.

        :raises DeclarationError: the topic is not a URI.
        """
        if callable(topic):
            raise DeclarationError("name the topic: @wamp.consume(topic='com.example.spam')")

        def declare(function: F) -> F:
            self._registry.add_subscription(function, topic)
            return function

        return declare

    def consume(self, topic: str) -> Callable[[F], F]:
        """Declare a handler of *topic*'s events; the same as :meth:`subscribe`."""
        return self.subscribe(topic)

    def error(self, uri: str) -> Callable[[E], E]:
        """Map an exception class to the error URI *uri*, both ways.

        Raised in a view, it travels under the URI with the arguments that it was made with; a
        call that is answered with the URI raises it again.

        :raises DeclarationError: the URI is invalid or taken, or the class has one already.
        """
        if callable(uri):
            raise DeclarationError("name the URI: @wamp.error('com.example.no_stock')")

        def declare(exception: E) -> E:
            if not _is_exception_class(exception):
                raise DeclarationError(f"@wamp.error({uri!r}) stands on an exception class")
            self._registry.add_error(exception, uri)
            return exception

        return declare

    def start(self, app: Flask | None = None, *, timeout: float | None = None) -> None:
        """Serve the procedures and subscriptions of an application from this process.

        For processes that Crossbar does not run: a script, ``flask run``, a test. Returns once
        everything is registered; after a lost connection all is registered again by itself.

        :param app: by default the current application, or the only one.
        :param timeout: seconds to connect and register in; by default ``WAMP_TIMEOUT``.
        :raises NotConnected: no session within the timeout.
        :raises RegistrationFailed: the router refused; the text names each procedure.
        :raises SetupError: a Crossbar component serves the application in this process.
        """
        from ._twisted.background import BackgroundLink

        state = self._state(app)
        link = state.link()
        if not isinstance(link, BackgroundLink):
            raise SetupError(
                "wamp.start() is for processes that Crossbar does not run: in this one a Crossbar "
                "component has the application's session"
            )
        self._registry.freeze("WAMP.start()")
        link.serve(state.config.timeout if timeout is None else timeout)

    def stop(self, app: Flask | None = None) -> None:
        """End serving and the connection of this process; calls in flight raise at once.

        The next use of ``g.wampy`` connects again. Does nothing where there is no connection.

        :param app: by default the current application, or the only one.
        """
        state = self._state(app)
        link = state.slot.link
        if link is None:
            return
        from ._twisted.background import BackgroundLink

        if isinstance(link, BackgroundLink):
            state.slot.attach(None)
            link.close()

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
    from ._twisted.background import BackgroundLink

    return BackgroundLink(state)


def _is_exception_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _globals_class(base: type[Any], client: Client) -> type[Any]:
    """Return a class for ``flask.g`` whose instances have *client* as ``wampy``."""

    class AppGlobals(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.wampy = client

    return AppGlobals
