"""A certificate for trying HTTPS out: ``python -m flask_wamp.node.certificate .crossbar``.

It is signed by itself, so that browsers warn of it; a server that others use needs one of a
certificate authority.
"""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: The names of the files, as the preset ``production`` has them.
CERTIFICATE, KEY = "server.crt", "server.key"
HOSTS = ("localhost", "127.0.0.1", "::1")
DAYS = 30


def make_certificate(directory: Path, hosts: Sequence[str] = HOSTS, days: int = DAYS) -> None:
    """Write a certificate for *hosts*, names and addresses, and its private key.

    :raises FileExistsError: one of the two files is there.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(directory / KEY, private, 0o600)
    _write(directory / CERTIFICATE, certificate.public_bytes(Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file, which nobody else could read for a moment either."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(content)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the files that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m flask_wamp.node.certificate",
        description="Make a certificate for trying HTTPS out. Browsers warn of it.",
    )
    parser.add_argument("directory", type=Path, help="the node's, .crossbar")
    parser.add_argument("--host", action="append", help="a name or an address; may be given again")
    parser.add_argument("--days", type=int, default=DAYS)
    given = parser.parse_args(arguments)
    try:
        make_certificate(given.directory, given.host or HOSTS, given.days)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    print(f"Wrote {given.directory / CERTIFICATE} and {given.directory / KEY}")


if __name__ == "__main__":
    main()
