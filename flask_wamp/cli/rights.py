"""``flask wamp rights``: who may do what, as the application declares it."""

from typing import Any

import click

from ..declare.rights import Right, Rights
from .application import state_of_app
from .output import json_option, shown_place, table, to_json


@click.command(
    short_help="List who may do what.",
    help="""List who may call procedures, publish and subscribe, as the application declares it.

    \b
    flask --app shop.app wamp rights
    flask --app shop.app wamp rights --json | jq -r '.[] | select(.may.call.roles == ["everyone"]).uri'

    It is what counts in a node for the roles that its configuration gives no permissions, as those
    of browsers have none; services, the role backend, may do everything. What is not in the list is
    for services alone.

    A terminal gets columns, a pipe one line each with tabs between the fields.
    """,
)
@json_option("the rights as a JSON list")
def rights(*, as_json: bool) -> None:
    """List who may do what."""
    state = state_of_app(click.get_current_context())
    declared = Rights.declared(state.registry, state.config.uri_prefix).rights
    lines = sorted(declared, key=lambda each: (each.kind, each.uri, each.match))
    if as_json:
        click.echo(to_json([_told(each) for each in lines]))
    elif lines:
        table(("URI", "Kind", "Match", "Who may", "Where"), [_row(each) for each in lines])
    else:
        click.echo(
            'The application gives no rights: @wamp.callee(..., allow="user") does.', err=True
        )


def _told(right: Right) -> dict[str, Any]:
    return {
        "uri": right.uri,
        "kind": right.kind,
        "match": right.match,
        "may": {
            action: {
                "roles": sorted(allow.roles),
                "function": allow.asked,
            }
            for action, allow in right.may.items()
        },
        "retain": right.retain,
        "place": right.place.name,
        "file": right.place.file,
        "line": right.place.line,
    }


def _row(right: Right) -> list[str]:
    who = [f"{action}: {allow}" for action, allow in right.may.items()]
    if right.retain:
        who.append("retain: who may publish")
    return [right.uri, right.kind, right.match, "; ".join(who), shown_place(right.place)]
