"""``flask wamp serve --processes``: the options of a supervisor, and the supervisor."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click
from flask.cli import ScriptInfo

from .._twisted.supervise.settings import ChildSettings, Settings, wrong_in
from ..state import State

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--processes",
        type=int,
        default=0,
        show_default=True,
        help="Processes that serve, started again when they end; 0 is this one.",
    ),
    click.option("--view-limit", type=float, help="Seconds that a view may run."),
    click.option(
        "--unresponsive",
        type=float,
        help="Seconds without a sign of life until a process is ended; 1.0 by default.",
    ),
    click.option(
        "--max-calls", type=int, help="Calls after which a process is replaced; never by default."
    ),
    click.option("--start-limit", type=float, help="Seconds to become ready in; 30 by default."),
    click.option("--preload", is_flag=True, help="Import the application once for all processes."),
)


def process_options(command: F) -> F:
    """Add the options of a supervisor."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_from(options: dict[str, Any]) -> Settings:
    """Return what the options say.

    :raises click.UsageError: one of them cannot be, or is of no use without processes.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if not given["preload"]:
        del given["preload"]
    for key, text in wrong_in(given):
        raise click.UsageError(f"--{key.replace('_', '-')} {text}")
    others = [key for key in given if key not in ("processes", "grace")]
    if others and not given.get("processes"):
        raise click.UsageError(
            f"--{others[0].replace('_', '-')} is for processes of their own: add --processes 1"
        )
    return Settings.from_extra(given)


def supervise(
    info: ScriptInfo,
    state: State,
    settings: Settings,
    url: str | None,
    realm: str | None,
    timeout: float,
) -> None:
    """Let processes serve until a signal comes.

    :param url: the router, instead of the one that the application names.
    :raises click.ClickException: none can be had.
    """
    # It brings Twisted.
    from .._twisted.supervise.program import Program

    name = state.app.name
    child = ChildSettings(
        info.app_import_path or "",
        url,
        realm,
        login=True,
        as_flask=True,
        by="flask wamp serve",
        log_level=logging.getLogger().level,
    )
    count = settings.processes
    text = f"{count} process{'es' if count != 1 else ''} serve{'' if count != 1 else 's'} {name}"

    def started() -> None:
        click.echo(f"flask-wamp: {text} at {state.config.urls}")

    failure = Program(state, name, settings, child, timeout=timeout, started=started).run()
    if failure:
        raise click.ClickException(f"cannot serve {name}: {failure}")
