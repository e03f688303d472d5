"""``flask wamp outbox``: the table of durable events, those that were set aside, and a relay."""

import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from types import FrameType
from typing import Any, TypeVar

import click
from flask.cli import AppGroup

from ..config import WampConfig
from ..durable.databases import Database, is_missing
from ..durable.store import SetAside, Store
from ..state import State
from .application import state_of_app
from .output import help_of, json_option, printable, show_line, table

F = TypeVar("F", bound=Callable[..., Any])

#: Events that are listed where nothing else is said.
LISTED = 100


class Outbox(AppGroup):
    """Commands that say what to do where there is no table."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command of *ctx*.

        :raises click.ClickException: there is no table.
        """
        try:
            return super().invoke(ctx)
        except Exception as error:
            if is_missing(error):
                text = "there is no outbox yet: create it with flask wamp outbox create"
                raise click.ClickException(text) from error
            raise


@click.group("outbox", cls=Outbox)
def outbox() -> None:
    """Look after the durable events of the application, which wait in its database."""


@outbox.command("create")
@click.pass_context
def create(ctx: click.Context) -> None:
    """Create the tables, unless they are there.

    For a database with migrations, flask_wamp.durable.add_tables(metadata) adds them to what Alembic
    looks at.
    """
    with closing(_database(ctx)) as database:
        database.create()
        click.echo(f"the outbox is in {printable(database.name)}")


@outbox.command(
    "list",
    help=help_of(
        "List the events that were set aside, because the router refuses them, and why.",
        "What waits is counted below, on standard error. With --json each line is an event.",
    ),
)
@click.option(
    "--count", type=click.IntRange(min=1), default=LISTED, show_default=True, help="At most."
)
@json_option("an object for each event")
@click.pass_context
def list_(ctx: click.Context, count: int, *, as_json: bool) -> None:
    """List the events that were set aside."""
    with closing(_database(ctx)) as database:
        store = Store(database)
        events, (waiting, age) = store.set_aside(count), store.count()
    if as_json:
        for event in events:
            show_line({**_shown(event), "attempts": event.attempts}, as_json=True)
    else:
        table(
            ["ID", "EVENT", "TOPIC", "WRITTEN", "REASON"],
            [[str(value) for value in _shown(event).values()] for event in events],
        )
    since = "" if age is None else f", the oldest for {age:.0f} s"
    click.echo(f"{waiting} waiting{since}", err=True)


def _which(command: F) -> F:
    """Let *command* be told which of the events that were set aside it is for."""
    command = click.option("--all", "all_", is_flag=True, help="All of them.")(command)
    return click.argument("ids", type=int, nargs=-1, metavar="[ID]...")(command)


@outbox.command("retry")
@_which
@click.pass_context
def retry(ctx: click.Context, ids: tuple[int, ...], *, all_: bool) -> None:
    """Send events that were set aside again, as the oldest that wait."""
    _change(ctx, ids, all_, Store.retry, "to be sent again")


@outbox.command("discard")
@_which
@click.pass_context
def discard(ctx: click.Context, ids: tuple[int, ...], *, all_: bool) -> None:
    """Delete events that were set aside: nobody will get them."""
    _change(ctx, ids, all_, Store.discard, "deleted")


@outbox.command("run")
@click.option("--url", help="Where the router listens, instead of the application's WAMP_URL.")
@click.pass_context
def run(ctx: click.Context, url: str | None) -> None:
    """Send what is committed, until SIGTERM or Ctrl-C.

    Processes that serve the application do that anyway. This is for a database whose application is
    served nowhere, or elsewhere; one process sends at a time, whatever their number.
    """
    state = state_of_app(ctx)
    if url is not None:
        state.app.config["WAMP_URL"] = url
        state.config = WampConfig.from_mapping(state.app.config)
    with closing(state.outbox.database()) as database:
        click.echo(f"flask-wamp: sends the events of {printable(database.name)}")
    _send(state)


class _Ended(BaseException):
    """A signal has ended the process."""


def _send(state: State) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        state.outbox.begin()
        while True:
            signal.pause()
    except _Ended:
        # A second signal ends the process at once.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
    finally:
        state.outbox.end()


def _change(
    ctx: click.Context,
    ids: tuple[int, ...],
    all_: bool,
    change: Callable[[Store, Sequence[int]], int],
    what: str,
) -> None:
    if bool(ids) == all_:
        raise click.UsageError("Name events by the ids of flask wamp outbox list, or say --all.")
    with closing(_database(ctx)) as database:
        count = change(Store(database), ids)
    click.echo(f"{count} event{'s' if count != 1 else ''} {what}")
    if count < len(ids):
        raise click.ClickException("the others are none that were set aside")


def _database(ctx: click.Context) -> Database:
    return state_of_app(ctx).outbox.database()


def _shown(event: SetAside) -> dict[str, object]:
    return {
        "id": event.id,
        "event": event.event_id,
        "topic": event.topic,
        "written": datetime.fromtimestamp(event.created, UTC).isoformat(timespec="seconds"),
        "reason": event.reason,
    }
