"""Who this process says it is to its router, and what proves it: ``WAMP_AUTHID`` and its like.

Each method of WAMP's (spec, 13) has one key that holds what it needs. What cannot be, or would send
a ticket in clear text to another machine, is refused before anything connects.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError, invalid_config
from .secret import Secret, revealed

AUTHID, AUTHMETHOD = "WAMP_AUTHID", "WAMP_AUTHMETHOD"
# pragma: allowlist nextline secret
TICKET, SECRET, PRIVATE_KEY = "WAMP_TICKET", "WAMP_SECRET", "WAMP_PRIVATE_KEY"
#: The key that each method needs.
NEEDED = {
    "ticket": TICKET,
    "wampcra": SECRET,
    "scram": SECRET,
    "cryptosign": PRIVATE_KEY,
    "tls": "WAMP_TLS_CERT",
}
#: The method that is meant where only its key is there.
# pragma: allowlist nextline secret
_MEANT = {TICKET: "ticket", SECRET: "wampcra", PRIVATE_KEY: "cryptosign"}
_METHODS = "'ticket', 'wampcra', 'scram', 'cryptosign' or 'tls'"
#: Methods whose router learns who somebody is from the key or certificate.
_NAMELESS = ("cryptosign", "tls")
#: Characters of an authid.
MAX_AUTHID = 256
#: Bytes of a file with a private key.
MAX_KEY_FILE = 65_536
#: The octets of an Ed25519 private key, in hexadecimal.
_SEED = re.compile(r"[0-9a-fA-F]{64}")
#: The line of Crossbar.io's own key files.
_KEY_LINE = re.compile(r"^private-key-ed25519:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_KEY_REMEDY = "give an Ed25519 key: 64 hexadecimal digits, or the path of a file that has one"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a process logs in.

    :ivar method: WAMP's name for the way.
    :ivar authid: who it says it is; None where the router knows from what proves it.
    :ivar secret: the ticket, the password, or the private key in hexadecimal; a function that
        returns a ticket is called, in a context of the application, for each login.
    """

    method: str
    authid: str | None = None
    secret: Secret | Callable[[], Any] | None = None


def credentials_in(
    config: Mapping[str, Any], url_key: str, exposed: Sequence[str], plain: Sequence[str]
) -> Credentials | None:
    """Read the keys; None where this process does not log in.

    :param url_key: the key that the URLs stand under.
    :param exposed: the URLs on whose way others could read.
    :param plain: the URLs without TLS.
    :raises ConfigError: they contradict each other, or one is not what it has to be.
    """
    authid = _authid(config.get(AUTHID))
    given = [key for key in (TICKET, SECRET, PRIVATE_KEY) if config.get(key) is not None]
    if len(given) > 1:
        raise _contradiction(given[1], f"{given[0]} is there as well: leave one of them out")
    method = _method(config.get(AUTHMETHOD), given)
    if method is None:
        if authid is not None:
            raise invalid_config(
                AUTHID, authid, f"nothing proves it: add {', '.join(_MEANT)} or {AUTHMETHOD}='tls'"
            )
        return None
    needed = NEEDED[method]
    if config.get(needed) is None:
        raise invalid_config(AUTHMETHOD, method, f"it needs {needed}")
    if authid is None and method not in _NAMELESS:
        raise _contradiction(needed, f"say whose it is, in {AUTHID}")
    if method == "ticket" and exposed:
        raise _contradiction(
            TICKET,
            f"{url_key} names {exposed[0]}, which is not encrypted, and a ticket travels as it is: "
            "use wss:// or rss://",
        )
    if method == "tls":
        if plain:
            raise invalid_config(AUTHMETHOD, method, f"{plain[0]} of {url_key} does not use TLS")
        return Credentials(method, authid)
    if method == "scram" and not (authid or "").isascii():
        raise invalid_config(AUTHID, authid, "SCRAM takes ASCII characters only")
    return Credentials(method, authid, _secret(needed, config[needed]))


def _authid(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MAX_AUTHID:
        raise invalid_config(
            AUTHID, value, f"give a text of 1 to {MAX_AUTHID} characters, {_quoted(AUTHID)}"
        )
    return value


def _method(value: Any, given: Sequence[str]) -> str | None:
    if value is None:
        return _MEANT[given[0]] if given else None
    if not isinstance(value, str) or value not in NEEDED:
        raise invalid_config(AUTHMETHOD, value, f"give {_METHODS}")
    if given and given[0] != NEEDED[value]:
        raise invalid_config(AUTHMETHOD, value, f"{given[0]} is for another: leave one of them out")
    return value


def _secret(key: str, value: Any) -> Secret | Callable[[], Any]:
    if key == TICKET and callable(value):
        provided: Callable[[], Any] = value
        return provided
    plain = revealed(value)
    if key == PRIVATE_KEY:
        return _private_key(plain)
    if not isinstance(plain, str) or not plain:
        more = ", or a function that returns one" if key == TICKET else ""
        raise _contradiction(key, f"give a text{more}, {_quoted(key)}")
    return Secret(plain)


def _private_key(value: Any) -> Secret:
    if isinstance(value, str) and _SEED.fullmatch(value):
        return Secret(value)
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise _contradiction(PRIVATE_KEY, _KEY_REMEDY)
    # The value may be a key with a digit too many: no text of the system's shows it.
    try:
        data = _contents(Path(value).expanduser())
    except (OSError, RuntimeError, ValueError) as error:
        reason = f", {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        raise _contradiction(
            PRIVATE_KEY, f"it is no key, and no file that can be read{reason}: {_KEY_REMEDY}"
        ) from None
    seed = _seed_in(data)
    if seed is None:
        raise _contradiction(
            PRIVATE_KEY, f"the file has no Ed25519 private key, or an encrypted one: {_KEY_REMEDY}"
        )
    return Secret(seed)


def _contents(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_KEY_FILE)


def _seed_in(data: bytes) -> str | None:
    """Return the private key that a file has, in hexadecimal."""
    text = data.decode("ascii", "replace").strip()
    line = _KEY_LINE.search(text)
    seed = line[1] if line else text
    if _SEED.fullmatch(seed):
        return seed
    # Here, since it takes a while to import and most applications need none of it.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_ssh_private_key,
    )

    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY-----" in data else load_pem_private_key
    try:
        key = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key.private_bytes_raw().hex() if isinstance(key, Ed25519PrivateKey) else None


def _contradiction(key: str, remedy: str) -> ConfigError:
    """Return the error that refuses the value of *key*, which it does not show."""
    return invalid_config(key, Secret(""), remedy)


def _quoted(key: str) -> str:
    return f"in the environment in double quotes where it may be a number, FLASK_{key}='\"...\"'"
