"""Certificates for the tests: authorities, and what they sign."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate, as a file has it."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, *, passphrase: bytes | None = None) -> bytes:
        """Return the private key, as a file has it."""
        encryption: KeySerializationEncryption = NoEncryption()
        if passphrase is not None:
            encryption = BestAvailableEncryption(passphrase)
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def write(self, path: Path, *, key: bool = False) -> Path:
        """Write the certificate, and the private key with it, to *path*."""
        path.write_bytes(self.pem + (self.key_pem() if key else b""))
        return path


class Authority(Issued):
    """A certificate authority."""

    def __init__(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = _builder(subject, subject, key, DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        super().__init__(builder.sign(key, hashes.SHA256()), key)

    def issue(self, name: str, *, hosts: Sequence[str] = (), expired: bool = False) -> Issued:
        """Return a certificate for *name*, or for *hosts*, names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        life = -DAY if expired else DAY
        builder = _builder(_name(name), self.certificate.subject, key, life)
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        return Issued(builder.sign(self.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 7 * DAY)
        .not_valid_after(now + life)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
