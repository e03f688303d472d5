"""The pipeline that HTTP runs, run for a call: guards, the view, error handlers, after_request."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import isgenerator
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, request, request_finished, request_started
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import BuildError, MapAdapter, Rule
from werkzeug.wrappers import Response

from .arguments import Arguments, invalid_argument, invalid_arguments
from .errors import NOT_AUTHORIZED, ApplicationError, uri_for_status
from .link import CallResult
from .registry import Procedure
from .validation import ArgumentErrors, Validator

METHOD = "CALL"


@dataclass(frozen=True, slots=True)
class Route:
    """A procedure that is a view as well.

    :ivar function: the outermost function, decorators included.
    :ivar methods: an HTTP method of each of the view's rules, by which a path is matched.
    :ivar variables: the variable parts of all of the view's rules.
    :ivar defaults: the values that the rules give.
    """

    endpoint: str
    function: Callable[..., Any]
    methods: tuple[str, ...]
    variables: frozenset[str]
    defaults: dict[str, Any]


def route_of(app: Flask, procedure: Procedure) -> Route | None:
    """Return the route that *procedure* is in *app*, or None.

    Decorators may stand between ``@app.route`` and ``@wamp.callee``; the outermost function is
    the one that runs, so that what guards one way in guards the other.
    """
    function = procedure.function
    inside_procedure = _with_wrapped(function)
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None:
            continue
        if function in _with_wrapped(view):
            return _route(app, rule, view)
        if view in inside_procedure:
            return _route(app, rule, function)
    return None


def endpoints_of(app: Flask, function: Callable[..., Any]) -> list[str]:
    """Return the endpoints whose view is *function*, whichever of them wraps the other."""
    inside = _with_wrapped(function)
    return [
        endpoint
        for endpoint, view in app.view_functions.items()
        if function in _with_wrapped(view) or view in inside
    ]


def _with_wrapped(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Return *function* and what it wraps, outermost first."""
    chain = [function]
    while (inner := getattr(chain[-1], "__wrapped__", None)) is not None:
        chain.append(inner)
    return chain


def _route(app: Flask, rule: Rule, function: Callable[..., Any]) -> Route:
    rules = [other for other in app.url_map.iter_rules() if other.endpoint == rule.endpoint]
    defaults: dict[str, Any] = {}
    for other in rules:
        defaults = {**(other.defaults or {}), **defaults}
    return Route(
        endpoint=rule.endpoint,
        function=app.ensure_sync(function),
        methods=tuple(dict.fromkeys(_method_of(other) for other in rules)),
        variables=frozenset[str]().union(*(other.arguments for other in rules)),
        defaults=defaults,
    )


def _method_of(rule: Rule) -> str:
    return min((rule.methods or {METHOD}) - {"HEAD", "OPTIONS"}, default="GET")


def http_error(error: HTTPException) -> ApplicationError:
    """Return the WAMP error for an ``HTTPException``, by :data:`~flask_wamp.errors.URI_BY_STATUS`.

    Description and status are in the keyword payload.
    """
    return _status_error(error.code or 500, error.description)


def plain_value(value: Any) -> Any:
    """Return what travels for what a view returned outside the pipeline.

    That is a response's body, the body of ``(body, status)``, and anything else as it is.

    :raises ApplicationError: the status is an error.
    """
    body, status = _split(value)
    if isinstance(body, Response):
        status = status or body.status_code
        body = _decoded(body)
    if status is not None and status >= 300:
        raise _body_error(status, body)
    return body


def _split(value: Any) -> tuple[Any, int | None]:
    """Return body and status of a view's return *value*; the status is None where it says none."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return value, None
    body, second = value[0], value[1]
    if isinstance(second, int) and 100 <= second <= 599:
        return body, second
    return value, None


def _needs_response(body: Any) -> bool:
    """Tell whether only Flask can say what *body* stands for: a response, headers, a stream."""
    if isgenerator(body):
        return False
    return isinstance(body, Response | tuple | Iterator) or callable(body)


def _decoded(response: Response) -> Any:
    """Return a response's body: JSON decoded, text as str, all else as bytes, None for none."""
    response.direct_passthrough = False
    data = response.get_data()
    if response.is_json and data:
        return response.get_json()
    if not data and response.status_code == 204:
        return None
    if (response.mimetype or "").startswith("text/"):
        return data.decode(response.mimetype_params.get("charset", "utf-8"), "replace")
    return data


def _status_error(status: int, description: str | None, **keywords: Any) -> ApplicationError:
    text = description or HTTP_STATUS_CODES.get(status, "error")
    return ApplicationError(
        uri_for_status(status), text, status=status, description=text, **keywords
    )


def _body_error(status: int, body: Any, description: str | None = None) -> ApplicationError:
    """Return the error for a *status* from 300 up that came with a *body*."""
    if isinstance(body, str):
        return _status_error(status, description or body)
    return _status_error(status, description, body=body)


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
        route: Route,
        arguments: Arguments,
        validator: Validator | None,
        args: list[Any],
        kwargs: dict[str, Any],
        complete: Callable[[Any], Any],
    ) -> Any:
        """Answer a call of *route* as HTTP would, and return what *complete* makes of its value.

        The path is built from the rule and the arguments and then matched, so that converters
        check and convert what they would in a URL. The keyword arguments are the JSON body;
        those that name no parameter are there only.

        :param complete: runs in the context of the request, as the last.
        :raises ApplicationError: the arguments do not fit, or the answer was an error.
        """
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
        context = self._app.request_context(self._environ(host, path, kwargs))
        if context.url_adapter is not None:
            context.url_adapter.default_method = method
        with context:
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
                return route.function(*bound.args, **bound.kwargs)

            return self._dispatch(view, complete)

    def _dispatch(self, view: Callable[[], Any], complete: Callable[[Any], Any]) -> Any:
        """Run guards, *view*, error handlers and ``after_request`` in the current context."""
        app = self._app
        failure: Exception | None = None
        guarded = False
        try:
            request_started.send(app, _async_wrapper=app.ensure_sync)
            value = app.preprocess_request()
            guarded = value is not None
            if not guarded:
                value = view()
        except Exception as error:  # noqa: BLE001
            # Flask's error handlers take every exception, so this does.
            failure = error
            try:
                value = app.handle_user_exception(error)
            except Exception as unhandled:
                failure = unhandled
                page = app.handle_user_exception(InternalServerError(original_exception=unhandled))
                self._finish(page)[0].close()
                raise
        response, untouched = self._finish(value)
        try:
            if failure is not None and self._travels(failure):
                raise failure
            if response.status_code >= 300:
                raise _response_error(response, value, failure, guarded)
            body = _split(value)[0]
            if isinstance(body, tuple) and body and isinstance(body[0], CallResult):
                # With headers, which are for HTTP alone.
                body = body[0]
            if not untouched or _needs_response(body):
                body = _decoded(response)
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
            if _needs_response(_split(value)[0]):
                raise
            return app.response_class(status=_split(value)[1])

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


def _response_error(
    response: Response, value: Any, failure: Exception | None, guarded: bool
) -> ApplicationError:
    """Return the error for a response of status 300 and more."""
    status = response.status_code
    if status < 400:
        if isinstance(failure, HTTPException) and (failure.code or 0) >= 400:
            return http_error(failure)
        location = response.headers.get("Location")
        if guarded:
            return ApplicationError(
                NOT_AUTHORIZED, "a guard redirects", status=status, location=location
            )
        text = f"the view redirects to {location}: return data where request.method is 'CALL'"
        return _status_error(status, text, location=location)
    if isinstance(value, HTTPException) and value.code == status:
        return http_error(value)
    description = failure.description if isinstance(failure, HTTPException) else None
    return _body_error(status, _decoded(response), description)
