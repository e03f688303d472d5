"""The files of ``wss`` and ``rss`` connections, ``WAMP_TLS_*``: checked before anything connects.

Whom to trust is the platform's choice where ``WAMP_TLS_CA`` names nobody, and only whom it names
where it does. That a router is whom it says it is, is always checked; there is no setting for it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import invalid_config

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CA, CERT, KEY = "WAMP_TLS_CA", "WAMP_TLS_CERT", "WAMP_TLS_KEY"
#: What Twisted needs for TLS; the extra ``tls`` installs it.
PACKAGES = ("OpenSSL", "service_identity")


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """Whom this process trusts, and who it is; absolute paths of PEM files.

    :ivar ca: the certificates of CAs that alone are trusted; None leaves it to the platform.
    :ivar cert: the client's certificate, and behind it those that lead to its CA.
    :ivar key: its private key; the same file may have both.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Identity(NamedTuple):
    """A client's certificate, its private key, and the certificates that lead to its CA."""

    certificate: "Certificate"
    key: Any
    chain: "list[Certificate]"


def tls_files(config: Mapping[str, Any], url_key: str, urls: Sequence[str]) -> TLSFiles:
    """Read the keys ``WAMP_TLS_*``, and check the files that they name.

    :param url_key: the key that the URLs stand under.
    :param urls: those that use TLS.
    :raises ConfigError: a file is not what it has to be, or nothing uses it.
    """
    given = {key: config[key] for key in (CA, CERT, KEY) if config.get(key) is not None}
    if not urls:
        for key, value in given.items():
            raise invalid_config(
                key,
                value,
                f"{url_key} names no wss:// or rss://, so nothing would be encrypted: change the "
                f"URL, or leave {key} out",
            )
        return TLSFiles()
    if any(find_spec(package) is None for package in PACKAGES):
        raise invalid_config(
            url_key, urls[0], "TLS needs more packages: pip install 'flask-wamp[tls]'"
        )
    paths = {key: _path(key, value) for key, value in given.items()}
    files = TLSFiles(paths.get(CA), paths.get(CERT), paths.get(KEY, paths.get(CERT)))
    if KEY in given and CERT not in given:
        raise invalid_config(KEY, given[KEY], f"name the certificate as well, in {CERT}")
    if files.ca is not None:
        _check(CA, given[CA], lambda: authorities(files))
    if files.cert is not None:
        cert = files.cert
        _check(CERT, given[CERT], lambda: _certificates(cert))
        key = KEY if KEY in given else CERT
        _check(key, given[key], lambda: identity(files))
    return files


def authorities(files: TLSFiles) -> "list[Certificate]":
    """Return the certificates of the CAs that are trusted; none leaves it to the platform.

    :raises OSError: the file cannot be read.
    :raises ValueError: it is not what it has to be.
    """
    return [] if files.ca is None else _certificates(files.ca)


def identity(files: TLSFiles) -> Identity | None:
    """Return who this process is, where it has a client certificate.

    :raises OSError: a file cannot be read.
    :raises ValueError: one is not what it has to be.
    """
    if files.cert is None or files.key is None:
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate, *chain = _certificates(files.cert)
    data = files.key.read_bytes()
    if b"PRIVATE KEY-----" not in data:
        raise ValueError(f"{files.key} has no private key: name the file that has, in {KEY}")
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise ValueError(
            f"the private key in {files.key} is encrypted, and nobody is there to be asked for its "
            "passphrase: decrypt it, openssl pkey -in FILE -out DECRYPTED"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"the private key in {files.key} cannot be read") from None
    if key.public_key() != certificate.public_key():
        raise ValueError(
            f"the private key in {files.key} is not that of the first certificate in {files.cert}"
        )
    return Identity(certificate, key, chain)


def _certificates(path: Path) -> "list[Certificate]":
    from cryptography.x509 import load_pem_x509_certificates

    data = path.read_bytes()
    try:
        return load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError(
            f"{path} has no certificate, or one that cannot be read: give a PEM file that has"
        ) from None


def _path(key: str, value: Any) -> Path:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise invalid_config(key, value, "give the path of a PEM file, as in '/etc/ssl/ca.pem'")
    return Path(value).expanduser().absolute()


def _check(key: str, value: Any, load: Callable[[], object]) -> None:
    try:
        load()
    except OSError as error:
        reason = f"{error.filename} cannot be read, {error.strerror}: give the path of a PEM file"
    except ValueError as error:
        reason = str(error)
    else:
        return
    raise invalid_config(key, str(value), reason)
