"""The group ``flask wamp``, which Flask finds as an entry point, and how its commands fail."""

import traceback
from typing import Any

import click
from flask.cli import AppGroup

from .check import check
from .init import init
from .run import run
from .serve import serve


class Commands(AppGroup):
    """Commands whose errors are one line with the remedy; ``--traceback`` shows where they arose."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of *ctx*.

        :raises click.ClickException: it failed; the text is one line.
        """
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001
            # An application that fails to import may raise anything at all.
            if ctx.params.get("traceback"):
                traceback.print_exc()
            raise click.ClickException(one_line(error)) from None


def one_line(error: Exception) -> str:
    """Return what went wrong in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    if type(error).__module__.startswith("flask_wamp.") and text:
        return text
    return f"{name}: {text}" if text else name


@click.group("wamp", cls=Commands)
@click.option("--traceback", is_flag=True, help="Show where an error arose.")
def wamp(**_options: Any) -> None:
    """Run, check and talk to the Crossbar.io node of a Flask application."""


wamp.add_command(check)
wamp.add_command(init)
wamp.add_command(run)
wamp.add_command(serve)
