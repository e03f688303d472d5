"""``flask wamp subscribe``: prints events as they come."""

import logging
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from ..context import Event, current_event
from ..declare.declared import describe
from ..errors import RegistrationFailed
from ..extension import WAMP
from ..uris import MATCHES, invalid_topic
from .arguments import TOPICS
from .connection import Target, check_seconds, reach, router_options, standalone
from .failures import EXIT_CODES, TimedOut, denial_remedy, with_remedy
from .output import help_of, is_terminal, json_option, printable, to_json

#: Events that may wait to be printed; further ones are dropped, and standard error says so.
MAX_WAITING = 10_000


class Events:
    """The events of a subscription, from the thread that handles them to the one that prints."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Event, tuple[Any, ...], dict[str, Any]]] = queue.Queue(
            MAX_WAITING
        )
        self._dropped = 0
        self._dropping = threading.Lock()

    def handle(self, *args: Any, **kwargs: Any) -> None:
        """Take the event that is being handled."""
        try:
            self._waiting.put_nowait((current_event.get(), args, kwargs))
        except queue.Full:
            with self._dropping:
                self._dropped += 1

    def next(self, deadline: float | None) -> tuple[Event, tuple[Any, ...], dict[str, Any]] | None:
        """Return the next event, or None where none has come until *deadline*."""
        with self._dropping:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            click.echo(f"{dropped} events were dropped: the output is too slow", err=True)
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return self._waiting.get(timeout=timeout)
        except queue.Empty:
            return None


@click.command(
    short_help="Print events as they come.",
    help=help_of(
        """Subscribe to TOPIC, and print its events as they come, until Ctrl-C.

        \b
        flask wamp subscribe com.shop.sold
        flask wamp subscribe --match prefix com.shop.
        flask wamp subscribe --match wildcard com.shop..sold
        flask wamp subscribe --json --count 1 --timeout 60 com.shop.sold

        An event is one line: its topic, and its arguments as call and publish take them. With
        --json it is an object with topic, publication, args, kwargs, retained, and who has
        published it: publisher, publisher_authid, publisher_authrole.

        A lost connection is made again, which standard error says; events of the time between are
        not printed.
        """,
        EXIT_CODES,
        "Ctrl-C ends it with 0, and --timeout with 4 where --count has not been reached.",
    ),
)
@click.argument("topic", type=TOPICS, metavar="TOPIC")
@click.option(
    "--match",
    type=click.Choice(MATCHES),
    default="exact",
    show_default=True,
    help="How TOPIC names topics: all that begin so, or any word for each empty component.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N events.")
@click.option(
    "--timeout",
    type=float,
    callback=check_seconds,
    metavar="SECONDS",
    help="End after so many seconds.",
)
@click.option("--retained", is_flag=True, help="Print first the event that the router has kept.")
@json_option("events as JSON, one a line")
@router_options
def subscribe(
    topic: str,
    match: str,
    count: int | None,
    timeout: float | None,
    retained: bool,
    as_json: bool,
    **target: Any,
) -> None:
    """Print events as they come."""
    reason = invalid_topic(topic, match)
    if reason:
        raise click.UsageError(f"{topic!r} cannot be subscribed to: {reason}")
    app, wamp = standalone(Target(**target))
    events = Events()
    handle = events.handle
    wamp.subscribe(topic, match=match, get_retained=retained)(handle)
    try:
        with app.app_context():
            reach(app)
            _start(wamp, handle)
        click.echo(f"subscribed to {printable(topic)}; Ctrl-C ends it", err=True)
        try:
            with _told():
                printed = _print(events, count, timeout, as_json=as_json)
        except KeyboardInterrupt:
            return
        if count is not None and printed < count:
            raise TimedOut(f"{printed} of {count} events came within {timeout:g} s")
    finally:
        wamp.stop(app)


def _start(wamp: WAMP, handle: Any) -> None:
    try:
        wamp.start()
    except RegistrationFailed as error:
        # It names the handler, which here is none of the user's.
        text = with_remedy(error, denial_remedy(error)).replace(f" of {describe(handle)}", "")
        raise click.ClickException(text) from error


def _print(events: Events, count: int | None, timeout: float | None, *, as_json: bool) -> int:
    """Print events until there are *count*, or the *timeout* is over; return how many there were."""
    deadline = None if timeout is None else time.monotonic() + timeout
    printed = 0
    while count is None or printed < count:
        found = events.next(deadline)
        if found is None:
            break
        click.echo(_line(*found, as_json=as_json))
        printed += 1
    return printed


def _line(event: Event, args: tuple[Any, ...], kwargs: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return to_json({
            "topic": event.uri,
            "publication": event.publication,
            "publisher": event.publisher,
            "publisher_authid": event.publisher_authid,
            "publisher_authrole": event.publisher_authrole,
            "retained": event.retained,
            "args": list(args),
            "kwargs": kwargs,
        })  # fmt: skip
    topic = printable(event.uri)
    words = [click.style(topic, fg="cyan") if is_terminal() else topic]
    words += [to_json(arg) for arg in args]
    words += [f"{printable(key)}={to_json(value)}" for key, value in kwargs.items()]
    return " ".join(words)


@contextmanager
def _told() -> Iterator[None]:
    """Let standard error say how the connection fares, whatever the application logs where."""
    log = logging.getLogger("flask_wamp")
    level, propagate = log.level, log.propagate
    handler = _Telling()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


class _Telling(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Nobody may read standard error any more, and the reactor's thread must not mind.
        with suppress(OSError):
            click.echo(printable(record.getMessage()), err=True)
