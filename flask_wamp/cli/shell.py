"""``flask wamp shell``: a Python prompt with ``wampy`` connected."""

from dataclasses import replace
from typing import Any

import click
from flask import Flask, g
from flask.cli import shell_command

from ..config import WampConfig
from ..extension import WAMP
from ..state import state_of
from .application import found_app
from .connection import Target, connection_options, reach, settings_of, standalone
from .failures import NotReached


@click.command(
    short_help="Open a Python prompt with wampy connected.",
    help="""Open a Python prompt in an application context, with wampy connected.

    \b
    >>> wampy.call("com.shop.price", "tea")
    >>> wampy.publish("com.shop.sold", "tea", 3)

    There are app, g and wampy, which is g.wampy, and what the application's shell context processors
    add. The prompt is IPython where that is installed, else that of flask shell, with its history
    and its completion. The connection is made again when it is lost.
    """,
)
@connection_options
def shell(**target: Any) -> None:
    """Open a Python prompt with wampy connected."""
    ctx = click.get_current_context()
    app = _configured(ctx, Target(**target))
    try:
        with app.app_context():
            _connect(app)
            # First, so that the application's own have the last word.
            app.shell_context_processors.insert(0, lambda: {"wampy": g.wampy})
            _prompt(ctx, app)
    finally:
        WAMP().stop(app)


def _configured(ctx: click.Context, target: Target) -> Flask:
    """Return the application, or one that has only a connection, linked as *target* says."""
    app = found_app(ctx)
    if app is None:
        return standalone(target)[0]
    state = state_of(app)
    state.config = WampConfig.from_mapping(settings_of(ctx, target))
    state.default_options = replace(state.default_options, timeout=state.config.timeout)
    return app


def _connect(app: Flask) -> None:
    try:
        reach(app)
    except NotReached as error:
        click.echo(f"{error.message}; it is tried again while the prompt is open", err=True)
    else:
        click.echo(f"wampy is connected, realm {state_of(app).config.realm}", err=True)


def _prompt(ctx: click.Context, app: Flask) -> None:
    prompt = _ipython()
    if prompt is None:
        ctx.invoke(shell_command)
    else:
        prompt(argv=[], user_ns=app.make_shell_context())


def _ipython() -> Any:
    """Return IPython's prompt; None where that is not installed."""
    try:
        from IPython import start_ipython
    except ImportError:
        return None
    return start_ipython
