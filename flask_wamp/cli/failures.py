"""How a command fails: one line on standard error, and an exit code that scripts can ask for."""

from typing import ClassVar

import click
from flask.cli import NoAppException

from ..errors import CallTimeout, NotConnected, OptionError, PayloadError, WAMPError
from .output import printable

#: What `--help` says of the exit codes.
EXIT_CODES = (
    "Exit codes: 0 an answer, 1 the answer was an error, or something else failed, 2 wrong usage, "
    "3 not connected, 4 timed out."
)

#: What the router says, and no view, of whoever may not.
ROUTER_DENIES = " not authorized to "
#: Begins the traceback with which Flask says that an application fails to import.
TRACE = "\nTraceback (most recent call last):"


#: What shows the help of a group without a command; click 8.1 has it not.
_HELP: tuple[type[Exception], ...] = (getattr(click.exceptions, "NoArgsIsHelpError", click.Abort),)


class Misused(click.ClickException):
    """The command line cannot be followed."""

    exit_code: ClassVar[int] = 2


class NotReached(click.ClickException):
    """There is no session to the router, or it was lost."""

    exit_code: ClassVar[int] = 3


class TimedOut(click.ClickException):
    """What was waited for did not come in time."""

    exit_code: ClassVar[int] = 4


def failure_of(error: Exception) -> click.ClickException:
    """Return what *error* ends a command with."""
    if isinstance(error, NoAppException) and TRACE in error.message:
        # Nothing on the command line is wrong.
        return click.ClickException(one_line(error))
    if isinstance(error, click.UsageError):
        if isinstance(error, _HELP):
            return error
        # Click would show the command's usage as well, in three lines above the error.
        text = one_line(error)
        if error.ctx is not None:
            stop = "" if text.endswith((".", "?", ")")) else "."
            text = f"{text}{stop} See '{error.ctx.command_path} --help'."
        return Misused(text)
    if isinstance(error, click.ClickException):
        return error
    text = one_line(error)
    if isinstance(error, NotConnected):
        return NotReached(text)
    if isinstance(error, CallTimeout):
        return TimedOut(text)
    if isinstance(error, OptionError | PayloadError):
        return Misused(text)
    return click.ClickException(text)


def denial_remedy(error: Exception) -> str:
    """Return where to look for what would allow it, if the router has denied something; or ""."""
    denied = isinstance(error, WAMPError) and ROUTER_DENIES in str(error)
    return "what would allow it stands in the log of the node" if denied else ""


def with_remedy(error: Exception, remedy: str) -> str:
    """Return what went wrong, and what to do about it, in one line."""
    return f"{one_line(error).rstrip('.')}; {remedy}" if remedy else one_line(error)


def one_line(error: Exception) -> str:
    """Return what went wrong in one line, which no peer can make a terminal's commands of."""
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    if TRACE in text:
        text, _, trace = text.partition(TRACE)
        text = f"{text} {trace.strip().splitlines()[-1]}"
    text = printable(" ".join(text.split()))
    name = type(error).__name__
    is_worded = isinstance(error, click.ClickException) or (
        type(error).__module__.startswith("flask_wamp.")
    )
    if is_worded and text:
        return text
    return f"{name}: {text}" if text else name
