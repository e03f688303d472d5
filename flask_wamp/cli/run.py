"""``flask wamp run``: the node in the foreground."""

from pathlib import Path

import click

from ..node.foreground import LOGLEVELS, run_and_reload
from ..node.foreground import run as run_node
from .place import config_option


class Level(click.Choice[str]):
    """A level of Crossbar.io's, by its name or by that of Python's ``logging``, in any case."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return Crossbar.io's name."""
        given = value.lower()
        return super().convert(_OF_LOGGING.get(given, given), param, ctx)


_OF_LOGGING = {"warning": "warn", "critical": "error"}


@click.command("run")
@config_option
@click.option("--port", "-p", type=int, help="Listen on this port instead of the file's.")
@click.option(
    "--loglevel",
    type=Level(LOGLEVELS),
    default="warn",
    show_default=True,
    help="How much Crossbar.io and the application say.",
)
@click.option("--reload", is_flag=True, help="Start anew when a file of the project has changed.")
@click.pass_context
def run(ctx: click.Context, config: Path, port: int | None, loglevel: str, *, reload: bool) -> None:
    """Start the node of this directory; Ctrl-C ends it.

    It hosts the application that its configuration names, which `flask wamp init` writes and
    `flask wamp check` looks through. With --reload a changed file is live again in seconds; one
    that does not compile, or that the application cannot be imported with, is shown, and the
    node runs on as it is.
    """
    if reload:
        ctx.exit(run_and_reload(config, port, loglevel))
    run_node(config, port, loglevel)
