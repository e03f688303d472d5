"""How commands reach a router: as the application's configuration says, or as they are told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import Flask, g

from ..call.client import Client
from ..config import WampConfig, check_timeout
from ..connecting import open_link
from ..credentials import TICKET
from ..errors import ConfigError, NotConnected
from ..extension import WAMP
from ..state import state_of
from .application import found_app
from .failures import NotReached, with_remedy
from .login import Identity, log_in, login_options

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds that connecting may take at least, however soon the answer is to come.
LEAST_TIMEOUT = 3.0

#: Where the node of this directory listens for services.
BACKEND = Path(".crossbar/router.sock")
#: Keys of a configuration that name routers.
_URL_KEYS = ("WAMP_URL", "CROSSBAR_URL", "ROUTER_URL")
#: Keys of a configuration without ``WAMP_`` that say how to connect.
_OTHER_KEYS = (*_URL_KEYS[1:], "REALM")
#: What a key is called on the command line.
_OPTIONS = {"WAMP_URL": "--url", "WAMP_REALM": "--realm", "WAMP_TIMEOUT": "--timeout"}


def check_seconds(
    _ctx: click.Context, _param: click.Parameter, value: float | None
) -> float | None:
    """Refuse what is no number of seconds."""
    try:
        return None if value is None else check_timeout(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


_url = click.option(
    "--url",
    help="The router: ws://HOST:PORT/PATH, rs://HOST:PORT or unix:PATH. By default the application's "
    "WAMP_URL; with this option no application is needed.",
)
_realm = click.option("--realm", help="The realm. By default the application's WAMP_REALM.")
_timeout = click.option(
    "--timeout",
    type=float,
    callback=check_seconds,
    metavar="SECONDS",
    help="How long the answer may take. By default the application's WAMP_TIMEOUT.",
)


@dataclass(frozen=True)
class Target(Identity):
    """What the options say about the router, and about who logs in there.

    None is what the application's configuration says.
    """

    url: str | None = None
    realm: str | None = None
    timeout: float | None = None


def router_options(command: F) -> F:
    """Add ``--url``, ``--realm`` and those that say who logs in."""
    return _url(_realm(login_options(command)))


def connection_options(command: F) -> F:
    """Add the options of :func:`router_options`, and ``--timeout``."""
    return router_options(_timeout(command))


def standalone(target: Target) -> tuple[Flask, WAMP]:
    """Return an application that has nothing but a connection, as a command needs it.

    It is configured as the application that Flask finds, whose own procedures it does not serve.

    :raises click.UsageError: nothing says which router, or an option cannot be.
    """
    app = Flask("flask-wamp")
    app.config.from_mapping(settings_of(click.get_current_context(), target))
    return app, WAMP(app)


@contextmanager
def connected(target: Target) -> Iterator[Client]:
    """Give a client with a session, which ends afterwards.

    :raises NotReached: there is none to be had.
    """
    app, wamp = standalone(target)
    try:
        with app.app_context():
            reach(app)
            client: Client = g.wampy
            yield client
    finally:
        wamp.stop(app)


def reach(app: Flask) -> None:
    """Wait until *app* has a session.

    :raises NotReached: there is none to be had.
    """
    state = state_of(app)
    try:
        open_link(state, max(state.config.timeout, LEAST_TIMEOUT))
    except NotConnected as error:
        raise NotReached(with_remedy(error, _remedy(str(error)))) from error


def _remedy(reason: str) -> str:
    """Return what to do where there is no session, for a *reason*."""
    if "the router refused the login to " in reason:
        return "say who logs in with --authid, and what proves it, as in --ticket-file"
    if "realm" in reason:
        return "name a realm of the node's configuration with --realm"
    here = (
        f", as in --url unix:{BACKEND}" if BACKEND.exists() and str(BACKEND) not in reason else ""
    )
    return f"is the node running? Name another router with --url{here}"


def settings_of(ctx: click.Context, target: Target) -> dict[str, Any]:
    """Return the configuration of a connection: the application's, with the options in it.

    :raises click.UsageError: nothing says which router, or an option cannot be.
    """
    # What the environment says to an application that asks it.
    asking = Flask("flask-wamp")
    asking.config.from_prefixed_env()
    app = found_app(ctx)
    if app is None:
        app = asking
        if target.url is None and not app.config.get("WAMP_URL"):
            raise click.UsageError(
                "There is no Flask application here to say which router: name one with flask --app, "
                "or the router with --url, as in --url ws://localhost:8080/ws."
            )
    settings = {
        key: value
        for key, value in app.config.items()
        if (key.startswith("WAMP_") and key != "WAMP_SERVE") or key in _OTHER_KEYS
    }
    if not any(map(settings.get, _URL_KEYS)) and asking.config.get("WAMP_URL"):
        settings["WAMP_URL"] = asking.config["WAMP_URL"]
    if callable(settings.get(TICKET)):
        settings[TICKET] = _in_context_of(app, settings[TICKET])
    for key in _OPTIONS:
        value = getattr(target, key.removeprefix("WAMP_").lower())
        if value is not None:
            _refuse_invalid(key, value)
            settings[key] = value
    log_in(settings, target)
    return settings


def _in_context_of(app: Flask, function: Callable[[], Any]) -> Callable[[], Any]:
    """Return *function* as *app* itself would call it, for an application that stands in for it."""

    def call() -> Any:
        with app.app_context():
            return function()

    return call


def _refuse_invalid(key: str, value: Any) -> None:
    try:
        WampConfig.from_mapping({key: value})
    except ConfigError as error:
        raise click.UsageError(str(error).replace(f"{key} =", _OPTIONS[key], 1)) from None
