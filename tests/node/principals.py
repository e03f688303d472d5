"""A node whose principals stand in its configuration, one way in for each method of WAMP's."""

import hashlib
import json
from pathlib import Path
from typing import Any

from autobahn.wamp.auth import derive_scram_credential
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flask_wamp.node import CrossbarNode
from flask_wamp.node.configuration import free_port
from tests.certificates import Authority, Issued

from .support import APPS, node_config
from .transports import BLOCKS

AUTHID = "shop"
TICKET = "the ticket of the shop"
SECRET = "the secret of the shop"
WRONG = "what nobody has told anybody"
#: How a salted secret is derived.
SALT: dict[str, Any] = {"salt": "salty", "iterations": 1000, "keylen": 32}


class Principals:
    """The ways in, and what opens them.

    :param directory: where certificates and keys are.
    """

    def __init__(self, directory: Path) -> None:
        authority, stranger = Authority("the tests"), Authority("somebody else")
        self.ca = authority.write(directory / "ca.pem")
        client = authority.issue("client")
        self.client = client.write(directory / "client.pem", key=True)
        self.other_client = authority.issue("other").write(directory / "other.pem", key=True)
        self.stranger = stranger.issue("client").write(directory / "stranger.pem", key=True)
        server = authority.issue("server", hosts=["localhost", "127.0.0.1"])
        self._server = server.write(directory / "server.pem", key=True)
        key = Ed25519PrivateKey.generate()
        self.key = key.private_bytes_raw().hex()
        self.key_file = directory / "shop.key"
        self.key_file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
        self.other_key = Ed25519PrivateKey.generate().private_bytes_raw().hex()
        self._auth: dict[str, dict[str, Any]] = {
            "ticket": _static("principals", ticket=TICKET),
            "wampcra": _static("users", secret=SECRET),
            "salted": _static("users", secret=SECRET, **SALT),
            "scram": _static("principals", **derive_scram_credential(AUTHID, SECRET)),
            "cryptosign": _static(
                "principals", authorized_keys=[key.public_key().public_bytes_raw().hex()]
            ),
            "tls": _static("principals", **{"certificate-sha1": _fingerprint(client)}),
        }
        self.port = free_port()

    def node(self) -> CrossbarNode:
        """Return the node, which has yet to start."""
        config = node_config(web=f"{APPS}.sessions.PatientWeb", views=[f"{APPS}.sessions.Views"])
        # What SCRAM makes of a password takes its time, on a machine with other work as well.
        config["workers"][0]["components"][0]["extra"] = {"join_within": 60}
        paths = config["workers"][0]["transports"][0]["paths"]
        for name, auth in self._auth.items():
            method = "wampcra" if name == "salted" else name
            paths[name] = {"type": "websocket", "auth": {method: auth}}
        # Asks nobody who he is.
        paths["open"] = {"type": "websocket"}
        paths["page"] = {"type": "websocket", "auth": json.loads(BLOCKS["principals"])}
        node = CrossbarNode(config)
        node._config["workers"][0]["transports"].append({
            "type": "rawsocket",
            "id": "mutual",
            "endpoint": {
                "type": "tcp",
                "interface": "127.0.0.1",
                "port": self.port,
                "tls": {
                    "key": str(self._server),
                    "certificate": str(self._server),
                    "ca_certificates": [str(self.ca)],
                },
            },
            "serializers": ["cbor"],
            "auth": {"tls": self._auth["tls"], "ticket": self._auth["ticket"]},
        })  # fmt: skip
        return node

    def url(self, node: CrossbarNode, name: str) -> str:
        """Return where one logs in by the method of a *name*."""
        if name == "tls":
            return f"rss://127.0.0.1:{self.port}"
        return node.url.replace("http:", "ws:") + name


def _static(kind: str, **principal: Any) -> dict[str, Any]:
    return {"type": "static", kind: {AUTHID: {"role": "backend", **principal}}}


def _fingerprint(issued: Issued) -> str:
    der = issued.certificate.public_bytes(Encoding.DER)
    digest = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
