"""Rules for the Flask applications that a node names."""

from collections.abc import Iterator

from ..layout import Layout, guest_application
from ..probe import BROKEN, FACTORY, OTHER, SESSION
from .finding import Rules, Told

RULES = Rules()

SESSIONS = "flask_wamp.crossbar."
WSGI_REMEDY = (
    "make a module with the application, wsgi.py: from {module} import {object}; app = {object}()"
)


def _web_sessions(node: Layout) -> list[str]:
    """Return the applications of the router's components, as they are told."""
    return [node.application_of(component) for _worker, component in node.components("router")]


def _served(node: Layout) -> list[tuple[str, str]]:
    """Return place and application of what serves procedures in containers."""
    return [
        (component.where, application)
        for _worker, component in node.components("container")
        if (application := node.application_of(component))
    ]


@RULES.error
def import_fails(node: Layout) -> Iterator[Told]:
    """What the node imports can be imported."""
    for place, probe in node.probes.items():
        if probe.kind == BROKEN:
            yield (
                place,
                f"it cannot be imported: {probe.error}",
                "repair it, or name another in the configuration",
            )


@RULES.error
def wsgi_is_a_factory(node: Layout) -> Iterator[Told]:
    """Crossbar.io hosts what the module has under that name; it calls no factory."""
    for place, application in node.hosted():
        probe = node.probes.get(application)
        if probe is not None and probe.kind == FACTORY:
            module, _, name = application.partition(":")
            yield (
                f"{place.where}.object",
                f"{application} is a factory, and is not called here",
                WSGI_REMEDY.format(module=module, object=name),
            )


@RULES.error
def no_application(node: Layout) -> Iterator[Told]:
    """What is hosted is a Flask application with a WAMP extension."""
    for place, application in node.hosted():
        probe = node.probes.get(application)
        if probe is None or probe.kind in (BROKEN, FACTORY):
            continue
        if probe.kind in (OTHER, SESSION):
            yield (
                f"{place.where}.object",
                f"{application} is no Flask application",
                "name the application",
            )
        elif not probe.extension and application in _web_sessions(node):
            yield place.where, f"{application} has no WAMP extension", "call wamp.init_app(app)"


@RULES.error
def another_application(node: Layout) -> Iterator[Told]:
    """The router's component gives its session to the application that is hosted there."""
    hosted = [application for _place, application in node.hosted()]
    for _worker, component in node.components("router"):
        application = node.application_of(component)
        if application and hosted and application not in hosted:
            yield (
                f"{component.where}.extra.application",
                (
                    f"it is bound to {application}, and the router hosts {hosted[0]}, whose views "
                    "then have no session"
                ),
                f'write "application": "{hosted[0]}"',
            )


@RULES.warning
def views_cannot_call(node: Layout) -> Iterator[Told]:
    """Without a component in the router g.wampy connects on its own, to WAMP_URL."""
    for place, application in node.hosted():
        probe = node.probes.get(application)
        if probe is not None and probe.extension and application not in _web_sessions(node):
            yield (
                place.where,
                (
                    f"no component of the router is bound to {application}: its views call over a "
                    "connection of their own, and nobody says when the node is ready"
                ),
                (
                    f'add a component {{"type": "class", "classname": "{SESSIONS}WebSession", '
                    f'"extra": {{"application": "{application}"}}, ...}}'
                ),
            )


@RULES.warning
def nobody_serves(node: Layout) -> Iterator[Told]:
    """Procedures are registered by a container, or by a guest."""
    serving = [application for _where, application in _served(node)]
    serving += [guest_application(worker) for worker in node.workers("guest")]
    # A guest that is no `flask wamp serve` may serve anything.
    if "" in serving:
        return
    for place, application in node.hosted():
        probe = node.probes.get(application)
        if probe is not None and probe.procedures and application not in serving:
            yield (
                place.where,
                f"nothing in this node registers the procedures of {application}",
                (
                    f'add a container with a component {{"classname": "{SESSIONS}ViewsSession", '
                    f'"extra": {{"application": "{application}"}}, ...}}, or a guest that runs '
                    f"flask --app {application} wamp serve"
                ),
            )


@RULES.error
def served_twice(node: Layout) -> Iterator[Told]:
    """A URI is registered once, unless its registration is shared."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for where, application in _served(node):
        probe = node.probes.get(application)
        for uri, match, invoke, function in probe.procedures if probe is not None else ():
            other = seen.setdefault((uri, match), (where, function))
            if other[0] != where and invoke == "single":
                yield (
                    where,
                    f"it registers {uri!r} ({function}), which {other[0]} does ({other[1]})",
                    (
                        "leave one of them out, give one another URI, or let them share the "
                        "registration with invoke='roundrobin'"
                    ),
                )
