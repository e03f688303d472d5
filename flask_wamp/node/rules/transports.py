"""Rules for what the node listens on."""

import re
from collections.abc import Iterator

from ..layout import Layout, Service
from .finding import Rules, Told

RULES = Rules()

#: What Crossbar.io takes for a key of ``paths`` (``checkconfig.py``).
PATH_KEY = re.compile(r"([a-z0-9A-Z_\-]+|/)\Z")
ORIGIN = re.compile(r"\w+://[^/]+:[\d*]+\Z")


def _websockets(node: Layout) -> Iterator[Service]:
    return (service for service in node.services() if service.type == "websocket")


def _trusts_browsers(service: Service) -> bool:
    """Tell whether a peer may be somebody by what its browser sends along by itself."""
    auth = service.place.part("auth")
    return "cookie" in auth.value or auth.part("anonymous").get("type") == "dynamic"


@RULES.error
def any_site_as_its_user(node: Layout) -> Iterator[Told]:
    """Cookies are sent along with the WebSocket of any page: cross-site hijacking."""
    for service in _websockets(node):
        options = service.place.part("options")
        origins = options.texts("allowed_origins")
        if _trusts_browsers(service) and (not origins or "*" in origins):
            yield (
                f"{options.where}.allowed_origins",
                "a page of any site can join as the person who visits it, by their cookies",
                'name the sites: "allowed_origins": ["https://example.com:443"]',
            )


@RULES.warning
def any_site(node: Layout) -> Iterator[Told]:
    """The origins of a WebSocket transport are everybody's, unless told otherwise."""
    for service in _websockets(node):
        options = service.place.part("options")
        origins = options.texts("allowed_origins")
        if not _trusts_browsers(service) and service.is_remote and (not origins or "*" in origins):
            yield (
                f"{options.where}.allowed_origins",
                "pages of any site may connect, from inside the visitor's network",
                'name the sites: "allowed_origins": ["http://localhost:8080"]',
            )


@RULES.warning
def origin_without_port(node: Layout) -> Iterator[Told]:
    """Patterns are compared with scheme, host and port written out."""
    for service in _websockets(node):
        options = service.place.part("options")
        for origin in options.texts("allowed_origins"):
            if origin != "*" and not ORIGIN.match(origin):
                yield (
                    f"{options.where}.allowed_origins",
                    f"{origin!r} matches no page",
                    "write scheme, host and port, as in 'https://example.com:443'",
                )


@RULES.warning
def null_origin(node: Layout) -> Iterator[Told]:
    """Sandboxed frames and local files have the origin null; it is let in by default."""
    for service in _websockets(node):
        options = service.place.part("options")
        if service.is_remote and options.get("allow_null_origin") is not False:
            yield (
                f"{options.where}.allow_null_origin",
                "sandboxed frames of any site may connect",
                'write "allow_null_origin": false',
            )


@RULES.warning
def message_limit(node: Layout) -> Iterator[Told]:
    """A stranger may send 16 MiB in one message, unless told otherwise."""
    for service in node.services():
        if service.type not in ("websocket", "rawsocket") or not service.is_remote:
            continue
        options = service.place.part("options")
        if not isinstance(options.get("max_message_size"), int):
            yield (
                f"{options.where}.max_message_size",
                "a stranger may send messages of 16 MiB",
                'limit them: "max_message_size": 1048576',
            )


@RULES.warning
def peers_that_vanish(node: Layout) -> Iterator[Told]:
    """Without pings a peer whose network went away stays for hours."""
    for service in _websockets(node):
        options = service.place.part("options")
        if service.is_remote and not options.get("auto_ping_interval"):
            yield (
                f"{options.where}.auto_ping_interval",
                "a peer whose network has gone stays connected",
                'ask it: "auto_ping_interval": 10000, "auto_ping_timeout": 5000',
            )


@RULES.warning
def idle_clients(node: Layout) -> Iterator[Told]:
    """A web transport waits for ever for a request, unless told otherwise."""
    for _worker, transport in node.transports():
        options = transport.part("options")
        if transport.text("type") == "web" and not options.get("client_timeout"):
            yield (
                f"{options.where}.client_timeout",
                "a connection that sends no request stays open",
                'end it after some seconds: "options": {"client_timeout": 30}',
            )


@RULES.error
def longpoll(node: Layout) -> Iterator[Told]:
    """The long-poll transport is broken."""
    for service in node.services():
        if service.type == "longpoll":
            yield (
                service.place.where,
                "Crossbar.io's long-poll transport does not work",
                "leave it out; every browser has WebSockets",
            )


@RULES.error
def wsgi_in_a_proxy(node: Layout) -> Iterator[Told]:
    """It passes Crossbar.io's check, and fails when the node starts."""
    for worker in node.workers("proxy"):
        for service in node.services():
            if service.type == "wsgi" and service.transport.where.startswith(worker.where):
                yield (
                    service.place.where,
                    "a proxy worker cannot host a WSGI application",
                    "host it in the router",
                )


@RULES.error
def path_keys(node: Layout) -> Iterator[Told]:
    """A path is one word."""
    for service in node.services():
        if service.name and not PATH_KEY.match(service.name):
            yield (
                service.place.where,
                f"{service.name!r} cannot be a path",
                "write one word of letters, digits, - and _, as in 'ws', without slashes",
            )


@RULES.error
def path_shadows_routes(node: Layout) -> Iterator[Told]:
    """A path beside "/" takes what begins with it from the Flask application."""
    for place, application in node.hosted():
        probe = node.probes.get(application)
        if probe is None or not place.where.endswith("./"):
            continue
        for service in node.services():
            hidden = [
                rule
                for rule in probe.rules
                if service.key not in ("", "/") and rule.split("/")[1:2] == [service.key]
            ]
            if hidden:
                yield (
                    service.place.where,
                    f"the route {hidden[0]} of {application} is never reached: the path is taken",
                    "give the path or the route another name",
                )


@RULES.error
def nobody_listens(node: Layout) -> Iterator[Told]:
    """A component connects to a socket that the router makes."""
    listening = {
        transport.part("endpoint").text("path")
        for _worker, transport in node.transports()
        if transport.part("endpoint").text("type") == "unix"
    }
    for _worker, component in node.components("container"):
        endpoint = component.part("transport").part("endpoint")
        if endpoint.text("type") == "unix" and endpoint.text("path") not in listening:
            yield (
                f"{endpoint.where}.path",
                f"no transport of this node listens on {endpoint.text('path')!r}",
                "name the path of the router's rawsocket transport, as in 'router.sock'",
            )
