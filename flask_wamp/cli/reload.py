"""``flask wamp reload``: other processes with the code as it is now, and no call lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..call.client import Client
from ..connecting import connect
from ..errors import NotConnected, RemoteError
from ..node.checking import read
from ..node.configuration import directory_of
from ..node.layout import Layout
from .failures import EXIT_CODES, NotReached, with_remedy
from .output import help_of, printable
from .place import config_option

#: Below this, supervisors are asked.
SUPERVISOR, RELOAD = "flask_wamp.supervisor.", ".reload"
NONE_THERE = (
    'no supervisor is there: write "extra": {"processes": 1} into the component that serves, '
    "or serve with flask wamp serve --processes 1"
)
ROUTER_KEEPS = (
    "HTTP views run in the router's process, and so do rights (allow=...): it has the code of before "
    "until the node restarts"
)


@click.command(
    short_help="Replace the serving processes, whose code has changed.",
    help=help_of(
        """Replace the processes that serve by new ones, which import the application anew.

        They are replaced one at a time, and each serves until the next one does, so that no call is
        lost. A new one that cannot serve leaves the old one serving, and its reason is printed.
        Every supervisor of the node is told, or those that are named:

        \b
        flask wamp reload
        flask wamp reload views

        HTTP views run in the router's process, which has the code of before until the node restarts.
        """,
        EXIT_CODES,
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the processes of one supervisor may take.",
)
def reload(names: tuple[str, ...], config: Path, timeout: float) -> None:
    """Replace the serving processes."""
    url, realms = _backend(config)
    told: set[str] = set()
    there: set[str] = set()
    failed = False
    for realm in realms:
        try:
            with connect(url, realm) as wampy:
                for name in sorted(_supervisors(wampy)):
                    there.add(name)
                    if not names or name in names:
                        told.add(name)
                        failed |= not _reload(wampy, name, timeout)
        except NotConnected as error:
            raise NotReached(with_remedy(error, "is the node running?")) from error
    if not there:
        raise click.ClickException(NONE_THERE)
    if missing := set(names) - told:
        raise click.ClickException(
            f"no supervisor is called {', '.join(sorted(missing))}; there are {', '.join(sorted(there))}"
        )
    click.echo(ROUTER_KEEPS)
    if failed:
        raise click.ClickException("not all processes were replaced; those of before serve on")


def _reload(wampy: Client, name: str, timeout: float) -> bool:
    """Let a supervisor do it, print what came of it, and tell whether that was all."""
    status = wampy.call(f"{SUPERVISOR}{name}.status")
    patient = wampy.with_options(timeout=timeout)
    outcome: dict[str, Any] = patient.call(f"{SUPERVISOR}{name}{RELOAD}")
    count = f"{outcome['replaced']} of {status['processes']} processes replaced"
    reason = f": {outcome['failed']}" if outcome["failed"] else ""
    click.echo(printable(f"{name}: {count}{reason}"))
    return not outcome["failed"]


def _supervisors(wampy: Client) -> Iterator[str]:
    """Yield the names of the supervisors in a realm."""
    for number in wampy.meta.registrations()["exact"]:
        try:
            uri = wampy.call("wamp.registration.get", number)["uri"]
        except RemoteError:
            continue  # it has gone meanwhile
        if uri.startswith(SUPERVISOR) and uri.endswith(RELOAD):
            yield uri.removeprefix(SUPERVISOR).removesuffix(RELOAD)


def _backend(config: Path) -> tuple[str, list[str]]:
    """Return where the services of a node connect, and its realms.

    :raises click.ClickException: the node has no Unix socket.
    """
    node = Layout(read(config), directory_of(config).absolute())
    paths = [
        endpoint.text("path")
        for _worker, transport in node.transports()
        if transport.text("type") == "rawsocket"
        and (endpoint := transport.part("endpoint")).text("type") == "unix"
    ]
    if not paths:
        raise click.ClickException(
            f"{config} has no rawsocket transport on a Unix socket, by which services connect"
        )
    realms = [
        realm.text("name") for worker in node.workers("router") for realm in worker.parts("realms")
    ]
    # A node that was started by its directory has its configuration there, whatever its name.
    directories = (config.parent.absolute(), node.directory)
    sockets = [directory / paths[0] for directory in directories]
    return f"unix:{next(filter(Path.exists, sockets), sockets[-1])}", realms
