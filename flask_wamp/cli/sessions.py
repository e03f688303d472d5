"""``flask wamp sessions``: who is connected."""

from typing import Any

import click

from ..errors import NotAuthorized
from .connection import BACKEND, Target, connected, connection_options
from .failures import EXIT_CODES, with_remedy
from .output import help_of, json_option, table, to_json


@click.command(
    short_help="List who is connected.",
    help=help_of(
        """List the sessions of the realm, that of this command among them.

        The router tells who they are to roles that may call below wamp., which browsers must not,
        and the backend may. HTTP headers and cookies, which it tells as well, are not printed.

        \b
        flask wamp sessions --url unix:.crossbar/router.sock

        A terminal gets columns, a pipe one session a line with tabs between the fields.
        """,
        EXIT_CODES,
    ),
)
@json_option("the sessions as a JSON list")
@connection_options
def sessions(as_json: bool, **target: Any) -> None:
    """List who is connected."""
    with connected(Target(**target)) as wampy:
        meta = wampy.meta
        try:
            looked_up = [meta.session(number) for number in sorted(meta.sessions())]
        except NotAuthorized as error:
            raise click.ClickException(with_remedy(error, _remedy())) from error
    # One that has gone meanwhile is None.
    found = [_shown(details) for details in looked_up if details is not None]
    if as_json:
        click.echo(to_json(found))
        return
    headers = ("Session", "Authid", "Role", "Method", "Transport", "Peer")
    table(
        headers,
        [[str("" if value is None else value) for value in each.values()] for each in found],
    )


def _shown(details: dict[str, Any]) -> dict[str, Any]:
    """Return what may be shown of a session."""
    transport = details.get("transport") or {}
    words = (
        transport.get("channel_framing"),
        transport.get("channel_serializer") or _serializer_of(transport),
    )
    return {
        "session": details.get("session"),
        "authid": details.get("authid"),
        "authrole": details.get("authrole"),
        "authmethod": details.get("authmethod"),
        "transport": "/".join(word for word in words if word and word != "null") or None,
        "peer": transport.get("peer"),
    }


def _serializer_of(transport: dict[str, Any]) -> str:
    """Return the serializer that a WebSocket's subprotocol names."""
    return str(transport.get("websocket_protocol") or "").removeprefix("wamp.2.")


def _remedy() -> str:
    where = BACKEND if BACKEND.exists() else "PATH"
    return f"ask over the node's socket for the backend, --url unix:{where}"
