"""``flask wamp serve``: a process that serves an application's procedures and subscriptions."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo, pass_script_info

from ..config import WampConfig
from ..errors import WAMPError
from ..extension import WAMP
from ..state import State, state_of
from ..tracing.guests import log_as_guest
from .processes import process_options, settings_from, supervise


class Ended(BaseException):
    """A signal has ended the process."""


@click.command("serve")
@click.option(
    "--url",
    envvar=("WAMP_URL", "FLASK_WAMP_URL"),
    help="Where the router listens, instead of the application's WAMP_URL.",
)
@click.option("--realm", help="The realm to join, instead of the application's WAMP_REALM.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=30.0,
    show_default=True,
    help="Seconds to connect and register in.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0, max=86_400),
    default=10.0,
    show_default=True,
    help="Of these, seconds to ask again for a procedure that somebody else has.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0, max=86_400),
    default=10.0,
    show_default=True,
    help="Seconds that calls get which run when it is told to end.",
)
@click.option(
    "--guest",
    is_flag=True,
    help="Log as the workers of the node do, whose guest this is: with levels.",
)
@process_options
@pass_script_info
def serve(
    info: ScriptInfo,
    /,
    url: str | None,
    realm: str | None,
    timeout: float,
    grace: float,
    patience: float,
    guest: bool,
    **options: Any,
) -> None:
    """Serve the procedures and subscriptions of the application from this process, or others.

    The router may be anywhere; after a lost connection all is registered again. SIGTERM and
    Ctrl-C end it, once the calls that run are answered; the second one does at once. This is what a
    guest worker of a node runs.

    With --processes, it serves nothing itself: it starts so many processes, starts them again when
    they end, and replaces them by new ones, which have the code as it is then, at a SIGHUP or by
    flask wamp reload.

    The exit code is 0 after a signal, and 1 where there is no router within the timeout, or it
    refuses a procedure.
    """
    if guest:
        log_as_guest()
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        settings = settings_from({**options, "grace": grace})
        app = info.load_app()
        _use(app, url, realm)
        if settings.processes:
            supervise(info, state_of(app), settings, url, realm, timeout)
        else:
            _serve(app, timeout, grace, patience)
    except Ended:
        pass


def _end(number: int, _frame: FrameType | None) -> None:
    # Where it comes again it ends the process at once. A node's Ctrl-C comes to a guest as both, from
    # the terminal and from the controller.
    other = signal.SIGINT if number == signal.SIGTERM else signal.SIGTERM
    signal.signal(other, signal.SIG_IGN)
    signal.signal(number, signal.SIG_DFL)
    raise Ended


def _use(app: Flask, url: str | None, realm: str | None) -> None:
    """Let *app* use another router or realm than its configuration says."""
    given = {"WAMP_URL": url, "WAMP_REALM": realm}
    given = {key: value for key, value in given.items() if value is not None}
    if given:
        app.config.from_mapping(given)
        state_of(app).config = WampConfig.from_mapping(app.config)


def _serve(app: Flask, timeout: float, grace: float, patience: float) -> None:
    state = state_of(app)
    # One of this command's own; what is served is what the application's has declared.
    wamp = WAMP()
    state.registry.freeze("flask wamp serve")
    try:
        if not state.config.serve:
            _connect(state, patience)
        wamp.start(app, timeout=timeout)
        click.echo(
            f"flask-wamp: {app.name} serves {_counted(state.registry.procedures, 'procedure')} and "
            f"{_counted(state.registry.subscriptions, 'subscription')} at "
            f"{state.config.urls}"
        )
        sys.stdout.flush()
        _wait_for_the_end(app, grace)
    except WAMPError as error:
        raise click.ClickException(f"cannot serve {app.name}: {error}{_hint(error)}") from None
    finally:
        wamp.stop(app)


def _connect(state: State, patience: float) -> None:
    """Let this process's connection be one that asks again for what somebody else has."""
    from .._twisted.connection.background import BackgroundLink

    state.slot.get(lambda: BackgroundLink(state, serving=True, patience=patience))


def _wait_for_the_end(app: Flask, grace: float) -> None:
    try:
        while True:
            signal.pause()
    except Ended:
        from .._twisted.connection.background import BackgroundLink
        from .._twisted.connection.finishing import finish_serving

        link = state_of(app).slot.link
        if isinstance(link, BackgroundLink):
            finish_serving(link, grace)
        raise


def _hint(error: WAMPError) -> str:
    if "not_authorized" not in str(error):
        return ""
    return "; services of a node join over its Unix socket, --url unix:.crossbar/router.sock"


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s' if len(things) != 1 else ''}"
