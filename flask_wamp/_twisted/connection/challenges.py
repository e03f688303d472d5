"""Answers to a router's challenges: what proves who a process is, method by method.

Autobahn has them too, but its SCRAM and cryptosign need packages more, one of which nobody keeps up
(passlib); ``cryptography``, which Autobahn needs in any case, has all that they are made of. What a
challenge asks for is bounded, since a router that is not ours could ask for hours of work.
"""

import base64
import hashlib
import hmac
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from ...credentials import Credentials

#: Rounds of PBKDF2, and octets that it makes.
MAX_ITERATIONS, MAX_KEY_LENGTH = 10_000_000, 1024
#: KiB of memory for Argon2, and KiB that it goes through in all its passes.
MAX_MEMORY, MAX_WORK = 2**20, 2**24
#: Octets of a challenge.
MAX_CHALLENGE = 65_536


class Unanswerable(Exception):
    """What the router asks for cannot be answered, or not be trusted; the text says why."""


class Method(ABC):
    """One login by one method."""

    def __init__(self, authid: str | None, secret: str) -> None:
        self._authid, self._secret = authid, secret

    @property
    def extra(self) -> dict[str, Any] | None:
        """What goes with the HELLO."""
        return None

    @abstractmethod
    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the answer to a challenge; may take a second.

        :raises Unanswerable: there is none.
        """

    def check(self, extra: Mapping[str, Any]) -> None:  # noqa: B027 - most routers prove nothing
        """Check what came with the WELCOME.

        :raises Unanswerable: the router does not know what it would have to know.
        """


class Ticket(Method):
    """The ticket itself (WAMP spec, 13.2)."""

    def answer(self, extra: Mapping[str, Any]) -> str:
        return self._secret


class WampCra(Method):
    """A signature with a shared secret (WAMP spec, 13.3), or with what is derived from it."""

    def answer(self, extra: Mapping[str, Any]) -> str:
        key = self._secret.encode()
        challenge = _text(extra, "challenge").encode()
        if extra.get("salt"):
            iterations = _number(extra, "iterations", MAX_ITERATIONS)
            length = _number(extra, "keylen", MAX_KEY_LENGTH)
            salt = _text(extra, "salt").encode()
            key = base64.b64encode(hashlib.pbkdf2_hmac("sha256", key, salt, iterations, length))
        return _base64(hmac.digest(key, challenge, "sha256"))


class Scram(Method):
    """Argon2 and proofs of both sides, as Crossbar.io and Autobahn have WAMP-SCRAM."""

    def __init__(self, authid: str | None, secret: str) -> None:
        super().__init__(authid, secret)
        self._nonce = _base64(os.urandom(16))
        self._proof: bytes | None = None

    @property
    def extra(self) -> dict[str, Any]:
        return {"nonce": self._nonce}

    def answer(self, extra: Mapping[str, Any]) -> str:
        nonce, salt = _text(extra, "nonce"), _text(extra, "salt")
        if extra.get("kdf") != "argon2id-13":
            raise Unanswerable("the router wants SCRAM with something else than argon2id-13")
        if not _octets(nonce).startswith(_octets(self._nonce)):
            raise Unanswerable("the router's nonce does not begin with ours")
        iterations = _number(extra, "iterations", MAX_WORK)
        memory = _number(extra, "memory", MAX_MEMORY)
        if iterations * memory > MAX_WORK:
            raise Unanswerable("the router wants too much work done for a password")
        password = self._derive(_octets(salt), iterations, memory)
        message = (
            f"n={self._authid},r={self._nonce},r={nonce},s={salt},i={iterations},c=,r={nonce}"
        ).encode()
        client_key = hmac.digest(password, b"Client Key", "sha256")
        stored_key = hashlib.sha256(client_key).digest()
        signature = hmac.digest(stored_key, message, "sha256")
        server_key = hmac.digest(password, b"Server Key", "sha256")
        self._proof = hmac.digest(server_key, message, "sha256")
        return _base64(bytes(a ^ b for a, b in zip(client_key, signature, strict=True)))

    def check(self, extra: Mapping[str, Any]) -> None:
        given = extra.get("scram_server_signature")
        proof = _octets(given) if isinstance(given, str) else b""
        if self._proof is None or not hmac.compare_digest(proof, self._proof):
            raise Unanswerable("the router does not prove that it knows the password")

    def _derive(self, salt: bytes, iterations: int, memory: int) -> bytes:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        try:
            derived = Argon2id(
                salt=salt, length=32, iterations=iterations, lanes=1, memory_cost=memory
            ).derive(self._secret.encode())
        except UnsupportedAlgorithm:
            raise Unanswerable("SCRAM needs OpenSSL 3.2 below cryptography") from None
        except ValueError as error:
            raise Unanswerable(f"the router's challenge cannot be: {error}") from None
        # Not the hash, but its text as Argon2 writes it.
        return base64.b64encode(derived).rstrip(b"=")


class Cryptosign(Method):
    """A signature with a private Ed25519 key (WAMP spec, 13.4)."""

    @property
    def extra(self) -> dict[str, Any]:
        return {
            "pubkey": self._key().public_key().public_bytes_raw().hex(),
            "channel_binding": None,
        }

    def answer(self, extra: Mapping[str, Any]) -> str:
        try:
            challenge = bytes.fromhex(_text(extra, "challenge"))
        except ValueError:
            raise Unanswerable("the router's challenge is not hexadecimal") from None
        if len(challenge) != 32:
            # Anything else could be something that has a meaning elsewhere.
            raise Unanswerable("the router's challenge has not 32 octets")
        signature: bytes = self._key().sign(challenge)
        return signature.hex() + challenge.hex()

    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self._secret))


_METHODS: Mapping[str, type[Method]] = {
    "ticket": Ticket,
    "wampcra": WampCra,
    "scram": Scram,
    "cryptosign": Cryptosign,
}


def method_of(credentials: Credentials, secret: str) -> Method:
    """Return one login with *credentials*, whose secret is *secret* this time."""
    return _METHODS[credentials.method](credentials.authid, secret)


def _text(extra: Mapping[str, Any], key: str) -> str:
    value = extra.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CHALLENGE:
        raise Unanswerable(f"the router's challenge has no {key}")
    return value


def _number(extra: Mapping[str, Any], key: str, most: int) -> int:
    value = extra.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise Unanswerable(f"the router's challenge has no {key} from 1 to {most}")
    return value


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Unanswerable("what the router sends is not base64") from None
