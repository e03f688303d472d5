"""``flask wamp call`` and ``flask wamp publish``."""

from contextlib import suppress
from typing import Any, NoReturn

import click

from ..call.client import Client
from ..errors import NoSuchProcedure, NotAuthorized, RemoteError, WAMPError
from .application import alike, declared_state, procedures_of
from .arguments import ARGUMENTS, PROCEDURE, TOPIC, WithArguments, parse_arguments
from .connection import Target, connected, connection_options
from .failures import EXIT_CODES, denial_remedy, with_remedy
from .output import help_of, json_option, show, show_line, to_json

#: Registrations that the router is asked about for one that is spelled alike.
MAX_ASKED = 500


@click.command(
    cls=WithArguments,
    short_help="Call a procedure and print its result.",
    help=help_of(
        """Call the procedure URI with ARGS, and print its result.

        \b
        flask wamp call com.shop.price tea
        flask wamp call com.shop.order '[1, 2]' express=true
        flask wamp call --stream com.shop.report 3
        flask wamp call --url unix:.crossbar/router.sock com.shop.price tea
        """,
        ARGUMENTS,
        """The result is printed as JSON, in one line unless a terminal shows it. Bytes are a text
        that begins with \\u0000 and goes on in base64, among arguments as well; several values
        are {"args": [...], "kwargs": {...}}.

        An error that is the answer is one line on standard error and, with --json, the object
        {"error": URI, "args": [...], "kwargs": {...}} on standard output.
        """,
        EXIT_CODES,
    ),
)
@click.argument("uri", type=PROCEDURE, metavar="URI")
@click.argument("args", nargs=-1, metavar="[ARGS]...")
@click.option("--stream", is_flag=True, help="Print progressive results as they come, one a line.")
@json_option("the result as JSON in one line, and an error as well")
@connection_options
def call(uri: str, args: tuple[str, ...], stream: bool, as_json: bool, **target: Any) -> None:
    """Call a procedure and print its result."""
    positional, keywords = parse_arguments(args)
    with connected(Target(**target)) as wampy:
        try:
            if stream:
                # Not closed where Ctrl-C ends it, but left with the session: Crossbar.io 26.10.1 logs
                # a traceback where a caller leaves that has just canceled.
                for result in wampy.stream(uri, *positional, **keywords):
                    show_line(result, as_json=as_json)
            else:
                show(wampy.call(uri, *positional, **keywords), as_json=as_json)
        except NoSuchProcedure as error:
            # Another URI is one that the procedure itself has called.
            remedy = _remedy(uri, wampy) if f"<{uri}>" in str(error) else ""
            _fail(error, as_json=as_json, remedy=remedy)
        except NotAuthorized as error:
            _fail(error, as_json=as_json, remedy=_misspelled(uri, error))
        except RemoteError as error:
            _fail(error, as_json=as_json)


@click.command(
    cls=WithArguments,
    short_help="Publish an event.",
    help=help_of(
        """Publish an event with ARGS to TOPIC, and print its publication id.

        \b
        flask wamp publish com.shop.sold tea 3
        flask wamp publish --retain com.shop.opening_hours opens=8 closes=20
        """,
        ARGUMENTS,
        EXIT_CODES,
    ),
)
@click.argument("uri", type=TOPIC, metavar="TOPIC")
@click.argument("args", nargs=-1, metavar="[ARGS]...")
@click.option("--exclude-me", is_flag=True, help="Do not send the event to this session itself.")
@click.option("--retain", is_flag=True, help="Let the router keep it for who subscribes later.")
@click.option(
    "--no-acknowledge", is_flag=True, help="Wait for no answer: no id, and no word of a refusal."
)
@json_option('{"publication": ID}')
@connection_options
def publish(
    uri: str,
    args: tuple[str, ...],
    exclude_me: bool,
    retain: bool,
    no_acknowledge: bool,
    as_json: bool,
    **target: Any,
) -> None:
    """Publish an event."""
    positional, keywords = parse_arguments(args)
    taken = sorted({"acknowledge", "topic"} & keywords.keys())
    if taken:
        raise click.UsageError(
            f"{taken[0]!r} cannot be a keyword of an event's payload: g.wampy.publish has a "
            "parameter of that name."
        )
    with connected(Target(**target)) as wampy:
        client = wampy.with_options(exclude_me=exclude_me or None, retain=retain or None)
        try:
            publication = client.publish(
                uri, *positional, acknowledge=not no_acknowledge, **keywords
            )
        except RemoteError as error:
            _fail(error, as_json=as_json)
    if as_json:
        click.echo(to_json({"publication": publication}))
    elif publication is not None:
        click.echo(publication)


def _fail(error: RemoteError, *, as_json: bool, remedy: str = "") -> NoReturn:
    """End with the error that was the answer."""
    if as_json:
        answer = {"error": error.uri, "args": list(error.args), "kwargs": error.kwargs}
        click.echo(to_json(answer))
    raise click.ClickException(with_remedy(error, remedy or denial_remedy(error))) from error


def _remedy(uri: str, wampy: Client) -> str:
    """Return what to do where nobody serves *uri*."""
    state = declared_state(click.get_current_context())
    declared = procedures_of(state) if state is not None else []
    if uri in declared:
        return "the application declares it, and no process serves it: flask wamp run, or serve"
    near = alike(uri, {*declared, *_registered(wampy)})
    return f"did you mean {' or '.join(near)}?" if near else ""


def _misspelled(uri: str, error: NotAuthorized) -> str:
    """Return what was meant, where nothing allows *uri* because the application does not have it."""
    state = declared_state(click.get_current_context())
    declared = procedures_of(state) if state is not None else []
    if not denial_remedy(error) or f'"{uri}"' not in str(error) or uri in declared:
        return ""
    near = alike(uri, set(declared))
    return f"did you mean {' or '.join(near)}?" if near else ""


def _registered(wampy: Client) -> list[str]:
    """Return the URIs of the router's registrations, as far as this role may ask."""
    with suppress(WAMPError):
        numbers = wampy.meta.registrations()["exact"][:MAX_ASKED]
        started = [wampy.start_call("wamp.registration.get", number) for number in numbers]
        return [str(found["uri"]) for found in wampy.gather(started)]
    return []
