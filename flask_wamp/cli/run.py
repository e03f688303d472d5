"""``flask wamp run``: the node in the foreground."""

from pathlib import Path

import click

from ..node.foreground import LOGLEVELS, run_and_reload
from ..node.foreground import run as run_node
from .place import config_option


@click.command("run")
@config_option
@click.option("--port", "-p", type=int, help="Listen on this port instead of the file's.")
@click.option(
    "--loglevel",
    type=click.Choice(LOGLEVELS),
    default="warn",
    show_default=True,
    help="How much Crossbar.io says.",
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
