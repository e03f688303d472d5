"""The pipeline that HTTP runs, run for a call: guards, the view, error handlers, after_request."""

import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, request, request_finished, request_started
from werkzeug.exceptions import InternalServerError
from werkzeug.routing import BuildError, MapAdapter
from werkzeug.wrappers import Response

from ..context import METHOD
from ..errors import ApplicationError
from ..login.callers import Peer
from ..login.read_only import make_read_only
from ..login.visits import environ_of, log_in
from ..results import CallResult
from .arguments import Arguments, invalid_argument, invalid_arguments
from .denials import is_denial
from .endpoints import Endpoint
from .entrance import Visit
from .responses import decoded, needs_response, response_error, split
from .routes import Route
from .validation import ArgumentErrors


class CallPipeline:
    """Runs calls through an application's request pipeline, with the method ``CALL``.

    :param travels: tells whether an exception reaches the caller under a URI of its own, whatever
        an error handler made of it.
    """

    def __init__(self, app: Flask, travels: Callable[[Exception], bool]) -> None:
        self._app = app
        self._travels = travels
        self._host = _host_of(app)
        self._builder: MapAdapter | None = None

    def run(
        self,
        endpoint: Endpoint,
        peer: Peer | None,
        args: list[Any],
        kwargs: dict[str, Any],
        complete: Callable[[Any], Any],
    ) -> Any:
        """Answer a call of a view as HTTP would, and return what *complete* makes of its value.

        The path is built from the rule and the arguments and then matched, so that converters
        check and convert what they would in a URL. The keyword arguments are the JSON body;
        those that name no parameter are there only.

        :param endpoint: the view, which has a route.
        :param peer: whose request it is: it has the cookies of the page's handshake.
        :param complete: runs in the context of the request, as the last.
        :raises ApplicationError: the arguments do not fit, or the answer was an error.
        """
        route, arguments = endpoint.route, endpoint.arguments
        if route is None:
            raise TypeError("a procedure without a route has no pipeline")
        named = kwargs
        if kwargs and arguments.any_keyword is None:
            named = {key: value for key, value in kwargs.items() if key in arguments.names}
        if route.defaults:
            named = {**arguments.unfilled(route.defaults, args), **named}
        bound = arguments.bind(args, named)
        values = {
            key: source[key]
            for key in route.variables
            for source in (kwargs, bound.arguments)
            if key in source
        }
        host, path, method = self._place(route, values, arguments)
        app, entrance, validator = self._app, endpoint.entrance, endpoint.validator
        visit = entrance.visit()
        environ = self._environ(host, path, kwargs)
        if peer is not None:
            environ.update(environ_of(peer))
        context = app.request_context(environ)
        if context.url_adapter is not None:
            context.url_adapter.default_method = method
        with context:
            if peer is not None:
                log_in(app, context.session, peer)
            make_read_only(app, context.session, entrance.code)
            if request.routing_exception is not None or request.endpoint != route.endpoint:
                raise _no_path(route, values)
            for key, value in (request.view_args or {}).items():
                if _was_bent(values.get(key), value):
                    raise _unfit_values({key: values[key]})

            def view() -> Any:
                for key, value in (request.view_args or {}).items():
                    if key in arguments.names:
                        bound.arguments[key] = value
                    elif arguments.any_keyword is not None:
                        bound.arguments.setdefault(arguments.any_keyword, {})[key] = value
                if validator is not None:
                    try:
                        validator.validate_bound(bound)
                    except ArgumentErrors as error:
                        raise invalid_arguments(error) from None
                fit = arguments.by_name(bound.args, bound.kwargs)
                return visit.run(route.function, *fit)

            return self._dispatch(view, visit, complete)

    def _dispatch(
        self, view: Callable[[], Any], visit: Visit, complete: Callable[[Any], Any]
    ) -> Any:
        """Run guards, *view*, error handlers and ``after_request`` in the current context."""
        app = self._app
        failure: Exception | None = None
        try:
            request_started.send(app, _async_wrapper=app.ensure_sync)
            value = app.preprocess_request()
            if value is None:
                value = view()
        except Exception as error:  # noqa: BLE001
            # Flask's error handlers take every exception, so this does.
            failure = error
            try:
                value = app.handle_user_exception(error)
            except Exception as unhandled:
                page = app.handle_user_exception(InternalServerError(original_exception=unhandled))
                self._finish(page)[0].close()
                raise
        response, untouched = self._finish(value)
        try:
            if failure is not None and self._travels(failure):
                raise failure
            if response.status_code >= 300:
                denied = is_denial(app, visit, response.headers.get("Location"))
                raise response_error(response, value, failure, denied)
            body = split(value)[0]
            if isinstance(body, tuple) and body and isinstance(body[0], CallResult):
                # With headers, which are for HTTP alone.
                body = body[0]
            if not untouched or needs_response(body):
                body = decoded(response)
            return complete(body)
        finally:
            response.close()

    def _finish(self, value: Any) -> tuple[Response, bool]:
        """Make the response of *value*, let ``after_request`` have it, and tell if it was left."""
        app = self._app
        made = self._make_response(value)
        body = made.response
        response = app.process_response(made)
        request_finished.send(app, _async_wrapper=app.ensure_sync, response=response)
        return response, response.response is body

    def _make_response(self, value: Any) -> Any:
        """Return the response that HTTP would give, or an empty one for what HTTP cannot give.

        A view may return to a caller what a response cannot hold, None or bytes in a dict.
        """
        app = self._app
        if value is None or isinstance(value, bool | int | float):
            return app.json.response(value)
        try:
            return app.make_response(value)
        except (TypeError, ValueError, RecursionError):
            if needs_response(split(value)[0]):
                raise
            return app.response_class(status=split(value)[1])

    def _environ(self, host: str, path: str, kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            body = self._app.json.dumps(kwargs).encode()
        except (TypeError, ValueError) as error:
            raise invalid_argument(
                f"the keyword arguments of a procedure that is a route are its JSON body: {error}"
            ) from None
        return {
            "REQUEST_METHOD": METHOD,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": "",
            "SERVER_NAME": host.partition(":")[0],
            "SERVER_PORT": host.partition(":")[2] or "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": host,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self._app.config["PREFERRED_URL_SCHEME"],
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }

    def _place(
        self, route: Route, values: dict[str, Any], arguments: Arguments
    ) -> tuple[str, str, str]:
        """Return host and path of *route* with these *values*, and a method that it answers.

        Where no rule does with the values that were sent, the view's own defaults fill up.
        """
        if self._builder is None:
            self._builder = self._app.url_map.bind(self._host)
        filled = {**arguments.defaults, **values}
        for known in (values, {key: filled[key] for key in route.variables & filled.keys()}):
            for method in route.methods:
                try:
                    url = self._builder.build(
                        route.endpoint, known, method=method, force_external=True
                    )
                except (BuildError, ValueError, TypeError):
                    # Converters raise the last two for what they cannot write into a URL.
                    continue
                parts = urlsplit(url)
                return parts.netloc, unquote(parts.path), method
        raise _no_path(route, values)


def _host_of(app: Flask) -> str:
    """Return the host that *app* answers to."""
    trusted = app.config.get("TRUSTED_HOSTS") or ["localhost"]
    return str(app.config.get("SERVER_NAME") or trusted[0].lstrip("."))


def _was_bent(sent: Any, converted: Any) -> bool:
    """Tell whether a converter made another number of the one *sent*, an int of 1.5 or of True."""
    if not isinstance(sent, int | float) or not isinstance(converted, int | float):
        return False
    return converted != sent or isinstance(sent, bool) is not isinstance(converted, bool)


def _no_path(route: Route, values: dict[str, Any]) -> ApplicationError:
    """Return the error for *values* that fit none of the route's rules."""
    missing = sorted(route.variables - values.keys())
    if missing:
        return invalid_argument(f"missing a required argument: {missing[0]!r}", missing[0])
    return _unfit_values(values)


def _unfit_values(values: dict[str, Any]) -> ApplicationError:
    given = ", ".join(f"{key}={value!r}" for key, value in sorted(values.items()))
    name = next(iter(sorted(values)), None)
    return invalid_argument(f"no URL of this view fits {given}"[:500], name)
