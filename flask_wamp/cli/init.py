"""``flask wamp init``: a node for the application, written into ``.crossbar/config.json``."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from flask.cli import ScriptInfo, pass_script_info

from ..node.configuration import DEFAULT_CONFIG
from ..node.preset import Target, configuration, is_secure, port_of, presets, rendered
from ..state import State
from .arguments import host_name
from .place import Found, find, there, write

T = TypeVar("T")

WSGI = '''"""The application for WSGI servers, the Crossbar.io node among them."""

from {module} import {factory}

app = {call}
'''
#: What a running node leaves belongs to this machine.
GITIGNORE = "*\n!.gitignore\n!config.json\n"


def realm_name(value: str) -> str:
    """Return *value*, a realm's name.

    :raises click.BadParameter: Crossbar.io does not take it.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.@-]{2,254}", value):
        raise click.BadParameter(f"{value!r} is no realm: write a word, as in 'realm1'")
    return value


@click.command("init")
@click.option(
    "--preset",
    type=click.Choice(sorted(presets())),
    default="single",
    show_default=True,
    help="A container serves the procedures (single), or a process of flask (guest), or it is for "
    "everybody, with TLS (production).",
)
@click.option("--module", help="Where the application is.  [default: as flask finds it]")
@click.option("--object", "object_", help="The application's name there.")
@click.option(
    "--port",
    "-p",
    type=click.IntRange(1, 65535),
    help="Where to listen.  [default: 8080; with TLS 8443]",
)
@click.option(
    "--host",
    multiple=True,
    callback=lambda _ctx, _param, values: [host_name(value) for value in values],
    help="A name that the node answers under, as in shop.example; may be given again.  "
    "[default: this machine's own]",
)
@click.option(
    "--realm",
    callback=lambda _ctx, _param, value: value and realm_name(value),
    help="The realm.  [default: the application's WAMP_REALM, or realm1]",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="The project's.  [default: the current one]",
)
@click.option("--force", is_flag=True, help="Write over a configuration that is there.")
@pass_script_info
def init(
    info: ScriptInfo,
    preset: str,
    module: str | None,
    object_: str | None,
    port: int | None,
    host: list[str],
    realm: str | None,
    directory: Path,
    *,
    force: bool,
) -> None:
    """Write a node's configuration for the application: .crossbar/config.json.

    What is not given is asked for on a terminal. The node listens on this machine alone. Browsers
    may do what the application declares, as with @wamp.callee(allow="everyone"), and nothing else.
    """
    terminal = Terminal(asks=is_terminal())
    path = directory / DEFAULT_CONFIG
    if there(path):
        terminal.confirm(
            f"{path} is there. Write over it?",
            force=force,
            otherwise=f"{path} is there: --force writes over it, --directory names another project",
        )
    found = _found(info, module, object_, terminal)
    state = found.app.extensions.get("wamp")
    state = state if isinstance(state, State) else None
    place, name = _importable(found, terminal)
    target = Target(
        module=place,
        object=name,
        port=terminal.ask("Port", port, port_of(preset), _port),
        realm=terminal.ask("Realm", realm, state.config.realm if state else "realm1", realm_name),
        pythonpath=os.path.relpath(found.root, path.parent.resolve()),
        hosts=host,
    )
    path.parent.mkdir(exist_ok=True)
    config = configuration(preset, target)
    write(path, rendered(config) + "\n")
    ignoring = path.parent / ".gitignore"
    if not there(ignoring):
        ignoring.write_text(GITIGNORE)
    _tell(path, target, state, secure=is_secure(config))


def is_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    return sys.stdin.isatty()


class Terminal:
    """Asks what was not given, where there is somebody to ask.

    :param asks: standard input is a terminal.
    """

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks

    def ask(self, text: str, given: T | None, default: T, check: Callable[[str], T]) -> T:
        """Return what was *given*, else the answer, else the *default*."""
        if given is not None or not self.asks:
            return default if given is None else given
        answer: T = click.prompt(text, default=str(default), value_proc=check)
        return answer

    def confirm(self, question: str, *, otherwise: str, force: bool = False) -> None:
        """Go on if *force* or the answer is yes.

        :raises click.ClickException: with the text *otherwise*.
        """
        if force or (self.asks and click.confirm(question)):
            return
        raise click.ClickException(otherwise)


def _port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise click.BadParameter(f"{value} is not a port: give a number from 1 to 65535")
    return int(value)


def _found(info: ScriptInfo, module: str | None, object_: str | None, terminal: Terminal) -> Found:
    """Return the application: the one that was named, or that flask finds."""
    if module is not None or object_ is not None:
        place = module or (info.app_import_path or "app").partition(":")[0]
        return find(ScriptInfo(f"{place}:{object_}" if object_ else place))
    found = find(info)
    shown = f"{found.module}:{found.object or found.factory}"
    place = terminal.ask("Application", None, shown, str)
    return found if place == shown else find(ScriptInfo(place))


def _importable(found: Found, terminal: Terminal) -> tuple[str, str]:
    """Return module and name of the application, for those who do not call factories."""
    if found.object:
        return found.module, found.object
    factory = found.factory.partition("(")[0]
    text = WSGI.format(module=found.module, factory=factory, call=found.factory)
    lines = "; ".join(line for line in text.splitlines()[2:] if line)
    path = found.root / "wsgi.py"
    if path.exists() and path.read_text() == text:
        return "wsgi", "app"
    if there(path):
        raise click.ClickException(
            f"{found.module}:{factory} is a factory, which a node does not call, and {path.name} "
            f"is there and is left alone: write two lines into a module, {lines}, and name it, "
            "--module wsgi --object app"
        )
    if terminal.asks and not click.confirm(
        f"A node needs an application, and {found.module}:{factory} is a factory. Write wsgi.py, "
        "which calls it?",
        default=True,
    ):
        raise click.ClickException(
            f"write two lines into a module, {lines}, and name it, --module M --object app"
        )
    path.write_text(text)
    click.echo(
        f"Wrote {os.path.relpath(path)}, which has the application that {found.factory} makes."
    )
    return "wsgi", "app"


def _tell(path: Path, target: Target, state: State | None, *, secure: bool) -> None:
    """Say what was written, and what to do next."""
    host = target.hosts[0] if target.hosts else "localhost" if secure else "127.0.0.1"
    at, s = f"{host}:{target.port}", "s" * secure
    click.echo(
        f"Wrote {path}: http{s}://{at}/ is {target.application}, and browsers join "
        f"{target.realm} at ws{s}://{at}/ws.\n"
        'Browsers may do what the application allows, @wamp.callee(allow="everyone"), and nothing '
        "else: flask wamp rights lists it."
    )
    if state is None:
        click.echo(
            f"{target.application} has no WAMP extension yet: wamp = WAMP(app), with "
            "from flask_wamp import WAMP.",
            err=True,
        )
    if secure:
        click.echo(
            f"It needs {path.parent}/server.crt and server.key; for trying it out:\n\n"
            f"    python -m flask_wamp.node.certificate {path.parent} --host {host}\n"
        )
    click.echo("Start it:\n\n    flask wamp run")
