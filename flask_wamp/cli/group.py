"""The group ``flask wamp``, which Flask finds as an entry point, and how its commands fail."""

import os
import traceback
from typing import Any

import click
from flask.cli import AppGroup

from .check import check
from .deploy import deploy
from .failures import failure_of
from .init import init
from .listen import subscribe
from .outbox import outbox
from .reload import reload
from .rights import rights
from .routes import routes
from .run import run
from .serve import serve
from .sessions import sessions
from .shell import shell
from .talk import call, publish
from .watch import health, metrics


class Commands(AppGroup):
    """Commands whose errors are one line with the remedy; ``--traceback`` shows where they arose."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of *ctx*.

        :raises click.ClickException: it failed; the text is one line.
        """
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):
            # Whoever reads the output has read enough: click ends without a word.
            raise
        except Exception as error:  # noqa: BLE001
            # An application that fails to import may raise anything at all.
            if ctx.params.get("traceback"):
                traceback.print_exc()
            raise failure_of(error) from None


@click.group("wamp", cls=Commands)
@click.option("--traceback", is_flag=True, help="Show where an error arose.")
@click.pass_context
def wamp(ctx: click.Context, /, **_options: Any) -> None:
    """Run, check and talk to the Crossbar.io node of a Flask application."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


for command in (
    call, check, deploy, health, init, metrics, outbox, publish, reload, rights, routes, run, serve,
    sessions, shell, subscribe,
):  # fmt: skip
    wamp.add_command(command)
