"""Rules for what other machines can reach: how, under which names, and what the application keeps from them."""

import ipaddress
import re
from collections.abc import Iterator

from ..configuration import leads_elsewhere
from ..layout import Layout, Place, Service
from ..probe import APPLICATION, MISSING, WEAK, Probe
from .finding import Rules, Told

RULES = Rules()

ORIGIN = re.compile(r"(\w+)://(.+):([\d*]+)\Z")
SECURE = ("https", "wss")
MAKE_A_KEY = (
    "make one: python -c 'import secrets; print(secrets.token_hex())', and keep it out of the code, as "
    "FLASK_SECRET_KEY or in a file of mode 600"
)


def _exposed(node: Layout) -> list[Place]:
    """Return the transports that other machines reach."""
    return [
        transport
        for _worker, transport in node.transports()
        if transport.part("endpoint").text("type") == "tcp"
        and not _is_loopback(transport.part("endpoint").text("interface"))
    ]


def _is_loopback(interface: str) -> bool:
    try:
        return interface == "localhost" or ipaddress.ip_address(interface).is_loopback
    except ValueError:
        return False


def _has_tls(transport: Place) -> bool:
    return "tls" in transport.part("endpoint").value


def _reached(node: Layout) -> Iterator[tuple[Service, Probe]]:
    """Yield the applications that other machines reach, and what their imports showed."""
    exposed = [transport.where for transport in _exposed(node)]
    for service in node.services():
        if service.type == "wsgi" and service.transport.where in exposed:
            name = f"{service.place.text('module')}:{service.place.text('object')}"
            probe = node.probes.get(name)
            if probe is not None and probe.kind == APPLICATION:
                yield service, probe


def _named_hosts(node: Layout) -> list[tuple[str, list[str]]]:
    """Return the host names of the router's components, and where they stand."""
    return [
        (f"{component.where}.extra.hosts", component.part("extra").texts("hosts"))
        for _worker, component in node.components("router")
    ]


@RULES.warning
def connection_limit(node: Layout) -> Iterator[Told]:
    """A transport takes 50,000 connections, unless told otherwise; a process has fewer files."""
    for _worker, transport in node.transports():
        remote = transport.part("endpoint").text("type") != "unix"
        if remote and not isinstance(transport.get("max_connections"), int):
            yield (
                f"{transport.where}.max_connections",
                "strangers may open 50,000 connections",
                'limit them: "max_connections": 2000',
            )


@RULES.warning
def plain_to_everybody(node: Layout) -> Iterator[Told]:
    """What is sent without TLS is read, and changed, by whoever is on the way."""
    for transport in _exposed(node):
        if not _has_tls(transport) and not leads_elsewhere(transport.value):
            yield (
                f"{transport.where}.endpoint",
                "other machines reach it without TLS, and cookies and passwords travel readable",
                (
                    'add "tls": {"certificate": ..., "key": ...}, or listen for a proxy on this '
                    'machine alone: "interface": "127.0.0.1"'
                ),
            )


@RULES.warning
def no_host_names(node: Layout) -> Iterator[Told]:
    """A node that is told no name answers as this machine, and under no other name."""
    named = any(hosts for _where, hosts in _named_hosts(node))
    for service, probe in _reached(node):
        if not named and not probe.hosts:
            yield (
                service.transport.where,
                "the node answers under localhost and its addresses, and under no name",
                (
                    'name it: "extra": {"hosts": ["shop.example"]} in the component of the router, '
                    "or TRUSTED_HOSTS in the application"
                ),
            )


@RULES.warning
def any_host_name(node: Layout) -> Iterator[Told]:
    """A site whose name leads to this machine is, for a browser, the origin of what it finds there."""
    for where, hosts in _named_hosts(node):
        if "*" in hosts:
            yield (
                where,
                "a page of any site can let its own name lead here, and read what is answered",
                'name the hosts: "hosts": ["shop.example"]',
            )


@RULES.warning
def origins_of_other_pages(node: Layout) -> Iterator[Told]:
    """The pages that the transport serves can connect to it."""
    hosting = {each.transport.where for each in node.services() if each.type == "wsgi"}
    for service in node.services():
        if service.type != "websocket" or service.transport.where not in hosting:
            continue
        port = service.transport.part("endpoint").get("port")
        options = service.place.part("options")
        origins = [
            found for each in options.texts("allowed_origins") if (found := ORIGIN.match(each))
        ]
        if not isinstance(port, int) or not origins:
            continue
        secure, scheme = (
            _has_tls(service.transport),
            "https" if _has_tls(service.transport) else "http",
        )
        # A proxy in front has its own port, and TLS where this has none.
        if secure and any(each[1] in SECURE for each in origins):
            continue
        fitting = [each for each in origins if each[1] in SECURE or each[3] in ("*", str(port))]
        if secure or not fitting:
            yield (
                f"{options.where}.allowed_origins",
                f"no page that is served here, at {scheme} and port {port}, may connect",
                f'name its origin: "{scheme}://localhost:{port}"',
            )


@RULES.error
def readable_key(node: Layout) -> Iterator[Told]:
    """A private key is its owner's alone."""
    for _worker, transport in node.transports():
        tls = transport.part("endpoint").part("tls")
        path = node.directory / tls.text("key")
        if tls.text("key") and path.is_file() and path.stat().st_mode & 0o077:
            yield f"{tls.where}.key", f"other users may read {path}", f"chmod 600 {path}"


@RULES.warning
def shown_tracebacks(node: Layout) -> Iterator[Told]:
    """A traceback tells strangers how the node is made."""
    for _worker, transport in node.transports():
        options = transport.part("options")
        if options.get("display_tracebacks"):
            yield (
                f"{options.where}.display_tracebacks",
                "strangers see the tracebacks of what fails",
                "leave it out: they are in the log",
            )


@RULES.error
def weak_secret_key(node: Layout) -> Iterator[Told]:
    """Who knows SECRET_KEY signs cookies and tickets, and is anybody."""
    for service, probe in _reached(node):
        if probe.secret_key == WEAK:
            yield (
                service.place.where,
                "the application's SECRET_KEY can be guessed, and with it anybody's login",
                MAKE_A_KEY,
            )


@RULES.warning
def no_secret_key(node: Layout) -> Iterator[Told]:
    """Logins need SECRET_KEY."""
    for service, probe in _reached(node):
        if probe.secret_key == MISSING:
            yield (
                service.place.where,
                "the application has no SECRET_KEY, so nobody can log in",
                MAKE_A_KEY,
            )


@RULES.error
def debug_for_everybody(node: Layout) -> Iterator[Told]:
    """In debug mode errors tell strangers about the code."""
    for service, probe in _reached(node):
        if probe.debug:
            yield (
                service.place.where,
                "the application is in debug mode, and other machines reach it",
                "take DEBUG out of its configuration, and FLASK_DEBUG out of the environment",
            )


@RULES.warning
def cookies_for_anybody(node: Layout) -> Iterator[Told]:
    """A session's cookie is sent by TLS alone, and is out of reach of scripts and other sites."""
    for service, probe in _reached(node):
        if probe.cookie_faults:
            names = " and ".join(probe.cookie_faults)
            yield (
                service.place.where,
                f"the session's cookie lacks {names}",
                'set SESSION_COOKIE_SECURE=True, SESSION_COOKIE_HTTPONLY=True and SESSION_COOKIE_SAMESITE="Lax"',
            )
