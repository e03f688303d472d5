"""Who a command is to its router: ``--authid``, and files that have what proves it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config import WampConfig
from ..credentials import AUTHID, AUTHMETHOD, NEEDED, PRIVATE_KEY, SECRET, TICKET
from ..errors import ConfigError
from ..secret import Secret

F = TypeVar("F", bound=Callable[..., Any])

#: Characters of a file with a ticket or a secret.
MAX_FILE = 65_536
#: What a key is called on the command line.
_OPTIONS = {
    AUTHID: "--authid",
    AUTHMETHOD: "--authmethod",
    TICKET: "--ticket-file",
    SECRET: "--secret-file",
    PRIVATE_KEY: "--key-file",
}


@dataclass(frozen=True)
class Identity:
    """What the options say about who logs in; None is what the application's configuration says."""

    authid: str | None = None
    authmethod: str | None = None
    ticket_file: Path | None = None
    secret_file: Path | None = None
    key_file: Path | None = None


def login_options(command: F) -> F:
    """Add ``--authid``, ``--authmethod`` and the files."""
    file = click.Path(path_type=Path)
    for option in (
        click.option("--key-file", type=file, help="The file with its private key (cryptosign)."),
        click.option(
            "--secret-file", type=file, help="The file with its password (WAMP-CRA, SCRAM)."
        ),
        click.option("--ticket-file", type=file, help="The file with its ticket."),
        click.option(
            "--authmethod",
            type=click.Choice(list(NEEDED)),
            help="How it logs in, where the file does not tell: scram, or tls.",
        ),
        click.option(
            "--authid",
            help="Who logs in. By default the application's WAMP_AUTHID. What proves it stands in a "
            "file, or in the environment: FLASK_WAMP_TICKET, FLASK_WAMP_SECRET.",
        ),
    ):
        command = option(command)
    return command


def log_in(settings: dict[str, Any], identity: Identity) -> None:
    """Put what the options say into the *settings* of a connection.

    A file takes the place of all that the application's configuration has to prove who it is.

    :raises click.UsageError: a file cannot be read, or the options contradict each other.
    """
    given = {
        TICKET: _contents("--ticket-file", identity.ticket_file),
        SECRET: _contents("--secret-file", identity.secret_file),
        PRIVATE_KEY: identity.key_file,
    }
    proofs = {key: value for key, value in given.items() if value is not None}
    if proofs or identity.authmethod:
        settings.pop(AUTHMETHOD, None)
    if proofs or identity.authmethod == "tls":
        for key in given:
            settings.pop(key, None)
        settings.update(proofs)
    names = {AUTHID: identity.authid, AUTHMETHOD: identity.authmethod}
    named = {key: value for key, value in names.items() if value is not None}
    settings.update(named)
    if named or proofs:
        try:
            WampConfig.from_mapping(settings)
        except ConfigError as error:
            raise click.UsageError(_as_options(str(error), {*named, *proofs})) from None


def _contents(option: str, path: Path | None) -> Secret | None:
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            return Secret(file.read(MAX_FILE).strip())
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is no text"
    raise click.UsageError(f"{option} {str(path)!r} cannot be read: {reason}.")


def _as_options(text: str, keys: set[str]) -> str:
    """Return *text* with the options in place of the *keys* that they have set."""
    for key in keys:
        text = text.replace(f"{key} =", _OPTIONS[key]).replace(key, _OPTIONS[key])
    return text
