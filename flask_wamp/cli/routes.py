"""``flask wamp routes``: what the application declares."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from flask import Flask

from ..declare.allow import Allow
from ..declare.declared import Procedure, Subscription
from ..declare.place import Place
from ..declare.rights import Rights
from ..node.configuration import DEFAULT_CONFIG
from ..permissions import is_governed, roles_of, roles_that_may, sample_of
from ..serve.routes import endpoints_of
from ..state import State
from .application import state_of_app
from .output import json_option, shown_place, table, to_json

#: The roles of those who come in by a browser, where no configuration names any.
LOGGED_IN = ("anonymous", "user")


@dataclass(frozen=True)
class Declared:
    """A procedure, or a topic that a handler subscribes to.

    :ivar kind: ``procedure`` or ``topic``.
    :ivar invoke: how a procedure is shared; None for a topic.
    :ivar http: the rules of a procedure that is a route as well, with their methods.
    :ivar may: roles by what they may do.
    """

    kind: str
    uri: str
    match: str
    invoke: str | None
    http: list[str]
    may: dict[str, list[str]]
    function: str
    file: str | None
    line: int | None


@click.command(
    short_help="List what the application declares.",
    help="""List the procedures of the application, and the topics that its handlers subscribe to.

    \b
    flask --app shop.app wamp routes
    flask --app shop.app wamp routes --json | jq -r '.[].uri'

    No node has to run. Who may call, publish and subscribe is what the application declares, and
    what the permissions of the node's configuration say, where there is one; of a pattern, what they
    say of a URI that it matches.

    A terminal gets columns, a pipe one declaration a line with tabs between the fields.
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"The node's configuration. By default {DEFAULT_CONFIG}, if it is there.",
)
@json_option("the declarations as a JSON list")
def routes(config: Path | None, as_json: bool) -> None:
    """List what the application declares."""
    state = state_of_app(click.get_current_context())
    declared = declared_in(state, _loaded(config, state.config.realm))
    if as_json:
        click.echo(to_json([asdict(each) for each in declared]))
    elif declared:
        headers = ("URI", "Kind", "Match", "Invoke", "HTTP", "Who may", "Where")
        table(headers, [_row(each) for each in declared])
    else:
        click.echo("The application declares nothing: @wamp.callee declares a procedure.", err=True)


def declared_in(state: State, config: Mapping[str, Any] | None) -> list[Declared]:
    """Return what an application declares, procedures first, in the order of their URIs.

    :param config: the configuration of its node, if there is one.
    """
    prefix = state.config.uri_prefix
    procedures = sorted(state.registry.procedures, key=lambda each: each.uri(prefix))
    topics = sorted(state.registry.subscriptions, key=lambda each: each.topic)
    return [
        *(_procedure(state, each, config) for each in procedures),
        *(_topic(state, each, config) for each in topics),
    ]


def _procedure(state: State, procedure: Procedure, config: Mapping[str, Any] | None) -> Declared:
    uri, match = procedure.key(state.config.uri_prefix)
    return Declared(
        "procedure",
        uri,
        match,
        procedure.options.policy(shared=state.config.serve),
        _rules(state.app, procedure.function),
        _rights(state, config, sample_of(uri, match), "call"),
        **_place(procedure.function),
    )


def _topic(state: State, subscription: Subscription, config: Mapping[str, Any] | None) -> Declared:
    topic, match = subscription.topic, subscription.options.match
    return Declared(
        "topic",
        topic,
        match,
        None,
        [],
        _rights(state, config, sample_of(topic, match), "publish", "subscribe"),
        **_place(subscription.function),
    )


def _rights(
    state: State, config: Mapping[str, Any] | None, uri: str, *actions: str
) -> dict[str, list[str]]:
    rights = Rights.declared(state.registry, state.config.uri_prefix)
    return {action: _roles(rights, state, config, action, uri) for action in actions}


def _roles(
    rights: Rights, state: State, config: Mapping[str, Any] | None, action: str, uri: str
) -> list[str]:
    """Return the roles that may, those of the configuration first."""
    found = []
    known = dict.fromkeys(LOGGED_IN, True)
    if config is not None:
        realm = state.config.realm
        known = {str(role.get("name")): is_governed(role) for role in roles_of(config, realm)}
        found = roles_that_may(config, realm, action, uri)
    governed = [name for name, is_ours in known.items() if is_ours]
    asked = []
    for name in [*governed, *sorted(rights.roles() - known.keys())]:
        said = rights.decide(name, action, uri)
        if said is True:
            found.append(name)
        elif said is not False:
            asked.append(str(Allow(function=said)))
    return sorted(found) + sorted(set(asked))


def _rules(app: Flask, function: Callable[..., Any]) -> list[str]:
    endpoints = set(endpoints_of(app, function))
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in endpoints]
    return [
        f"{','.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))} {rule.rule}"
        for rule in sorted(rules, key=lambda rule: rule.rule)
    ]


def _place(function: Callable[..., Any]) -> dict[str, Any]:
    place = Place.of(function)
    return {"function": place.name, "file": place.file, "line": place.line}


def _row(declared: Declared) -> list[str]:
    return [
        declared.uri,
        declared.kind,
        declared.match,
        declared.invoke or "",
        "; ".join(declared.http),
        _who(declared.may),
        shown_place(Place(declared.function, declared.file, declared.line)),
    ]


def _who(may: Mapping[str, list[str]]) -> str:
    actions: dict[str, list[str]] = {}
    for action, roles in may.items():
        actions.setdefault(", ".join(roles) or "nobody", []).append(action)
    return "; ".join(f"{', '.join(done)}: {roles}" for roles, done in actions.items())


def _loaded(path: Path | None, realm: str) -> Mapping[str, Any] | None:
    """Return the configuration at *path*, or that of this directory's node, if there is one.

    :raises click.ClickException: it is none.
    """
    if path is None and not DEFAULT_CONFIG.is_file():
        return None
    chosen = path or DEFAULT_CONFIG
    try:
        config = json.loads(chosen.read_text(encoding="utf-8"))
        # What is no configuration fails here, and not at the first procedure.
        roles_that_may(config, realm, "call", "")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise click.ClickException(f"{chosen} is no node configuration: {error}") from error
    loaded: Mapping[str, Any] = config
    return loaded
