"""TLS: who the router has to be, who this process is to it, and why they did not come together."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from ...address import Address
from ...tls import CA, CERT, TLSFiles, authorities, identity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: What a router's refusal says (RFC 8446, 6.2), and what it means here.
_REFUSALS = {
    "certificate required": f"the router wants a client certificate: name one in {CERT}",
    "handshake failure": f"the router refused; it may want a client certificate, {CERT}",
    "unknown ca": f"the router does not know the CA that signed the client certificate of {CERT}",
    "certificate expired": f"the client certificate of {CERT} has expired",
    "certificate revoked": f"the client certificate of {CERT} is revoked",
    "bad certificate": f"the router refused the client certificate of {CERT}",
    "certificate unknown": f"the router refused the client certificate of {CERT}",
    "unsupported certificate": f"the router refused the client certificate of {CERT}",
}
#: What comes instead of TLS from who does not speak it.
_NO_TLS = ("wrong version number", "packet length too long", "record layer failure", "http request")


def client_tls(address: Address, files: TLSFiles) -> Any:
    """Return the options of connections to *address*.

    The files are read anew, so that certificates may be renewed while the process runs.

    :raises OSError: a file cannot be read any more.
    :raises ValueError: one is not what it has to be any more.
    """
    # Here, since TLS is an extra: without it the package works all the same.
    from twisted.internet.ssl import optionsForClientTLS

    client = identity(files)
    options: dict[str, Any] = {}
    if client is not None:
        options = {"privateKey": client.key, "certificate": client.certificate}
        options["extraCertChain"] = client.chain
    return optionsForClientTLS(
        address.host,
        trustRoot=_trust(authorities(files)),
        extraCertificateOptions=options,
    )


def _trust(certificates: "Iterable[Certificate]") -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding
    from twisted.internet.ssl import Certificate as TwistedCertificate
    from twisted.internet.ssl import platformTrust, trustRootFromCertificates

    roots = [TwistedCertificate.loadPEM(each.public_bytes(Encoding.PEM)) for each in certificates]
    return trustRootFromCertificates(roots) if roots else platformTrust()


def why_not(failure: Failure, address: Address, files: TLSFiles) -> str | None:
    """Return what TLS had against a connection, for a person; None where it was not TLS."""
    if not address.tls:
        return None
    from OpenSSL.SSL import Error
    from service_identity import VerificationError

    error = failure.value
    if isinstance(error, VerificationError):
        return f"the router's certificate is not for the host {address.host!r}"
    if not isinstance(error, Error):
        return None
    texts = [part[-1] for part in error.args[0]] if error.args else []
    if any("certificate verify failed" in text for text in texts):
        if files.ca is None:
            return f"the router's certificate is not trusted here: name its CA in {CA}"
        return (
            f"the router's certificate does not hold: its CA is not in {files.ca} ({CA}), or its "
            "time is over"
        )
    for text in texts:
        if any(sign in text for sign in _NO_TLS):
            return "the router does not speak TLS at that port"
        for alert, meaning in _REFUSALS.items():
            if alert in text:
                return meaning
    return f"TLS failed: {', '.join(texts) or error!r}"
