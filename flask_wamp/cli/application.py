"""The application that Flask finds, for commands that work for one."""

from collections.abc import Iterable
from difflib import SequenceMatcher

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from ..declare.rights import Rights
from ..state import State, state_of
from .failures import TRACE

#: How much of a word, or of a URI with more or fewer words, has to be the same.
_ALIKE_WORD, _ALIKE_URI = 0.6, 0.85


def found_app(ctx: click.Context) -> Flask | None:
    """Return the application of ``--app``, or the one of the directory, or None.

    :raises NoAppException: one was named, and it is not there; or one is there, and fails to import.
    """
    info = ctx.ensure_object(ScriptInfo)
    try:
        return info.load_app()
    except NoAppException as error:
        if info.app_import_path or info.create_app or TRACE in error.message:
            raise
        return None


def state_of_app(ctx: click.Context) -> State:
    """Return what the extension keeps for the application.

    :raises NoAppException: there is no application.
    :raises SetupError: it has no WAMP extension.
    """
    return state_of(ctx.ensure_object(ScriptInfo).load_app())


def declared_state(ctx: click.Context) -> State | None:
    """Return what the extension keeps for the application; None where there is none."""
    app = found_app(ctx)
    state = app.extensions.get("wamp") if app is not None else None
    return state if isinstance(state, State) else None


def procedures_of(state: State) -> list[str]:
    """Return the URIs and prefixes that the application's procedures can be called under."""
    keys = state.registry.resolved(state.config.uri_prefix)
    return sorted({uri for uri, match in keys if match != "wildcard"})


def topics_of(state: State) -> list[str]:
    """Return the topics that the application subscribes to or has declared, patterns included."""
    subscribed = {subscription.topic for subscription in state.registry.subscriptions}
    rights = Rights.declared(state.registry, state.config.uri_prefix).rights
    return sorted(subscribed | {right.uri for right in rights if right.kind == "topic"})


def alike(uri: str, candidates: Iterable[str]) -> list[str]:
    """Return those of *candidates* that *uri* may be a misspelling of, at most three."""
    scores = {candidate: _likeness(uri, candidate) for candidate in candidates}
    near = [candidate for candidate, score in scores.items() if score > 0]
    return sorted(near, key=lambda candidate: (-scores[candidate], candidate))[:3]


def _likeness(uri: str, candidate: str) -> float:
    """Return how much a URI is like another, 0 where it is not.

    Words that they share, com.shop. for one, do not count: whoever misspells one word gets the
    others right.
    """
    words, others = uri.split("."), candidate.split(".")
    if others[-len(words) :] == words:
        return 1.0
    if len(words) != len(others):
        ratio = SequenceMatcher(None, uri, candidate).ratio()
        return ratio if ratio >= _ALIKE_URI else 0.0
    pairs = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    ratio = min((SequenceMatcher(None, *pair).ratio() for pair in pairs), default=1.0)
    return ratio if ratio >= _ALIKE_WORD else 0.0
