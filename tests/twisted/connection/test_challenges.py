"""Answers to challenges, beside Autobahn's own and against what a router may think of."""

import base64
import hmac
from typing import Any

import pytest
from autobahn.wamp import auth
from autobahn.wamp.types import Challenge
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flask_wamp._twisted.connection.challenges import (
    MAX_ITERATIONS,
    MAX_MEMORY,
    MAX_WORK,
    Method,
    Scram,
    Unanswerable,
    method_of,
)
from flask_wamp.credentials import Credentials

SECRET = "größer als geheim"
SEED = bytes(range(32)).hex()
SALT = base64.b64encode(b"sixteen octets!!").decode()


def method(name: str, secret: str = SECRET) -> Method:
    """Return a login by the method of a *name*."""
    return method_of(Credentials(name, "shop"), secret)


def test_challenge_ticket_is_answered_by_the_ticket() -> None:
    assert method("ticket").answer({}) == SECRET


@pytest.mark.parametrize("salted", [{}, {"salt": "salty", "iterations": 100, "keylen": 16}])
def test_challenge_wampcra_is_answered_as_autobahn_does(salted: dict[str, Any]) -> None:
    extra = {"challenge": '{"nonce": "ä"}', **salted}
    other = auth.AuthWampCra(authid="shop", secret=SECRET)
    assert method("wampcra").answer(extra) == other.on_challenge(None, Challenge("wampcra", extra))


def scram(mine: Scram, **extra: Any) -> dict[str, Any]:
    """Return the challenge of a router for *mine*."""
    nonce = base64.b64encode(base64.b64decode(mine.extra["nonce"]) + b"router").decode()
    usual = {"kdf": "argon2id-13", "salt": SALT, "iterations": 3, "memory": 64}
    return {"nonce": nonce, **usual, **extra}


@pytest.fixture
def mine() -> Scram:
    """Return a login by SCRAM."""
    made = method("scram")
    assert isinstance(made, Scram)
    return made


def test_challenge_scram_is_answered_as_autobahn_does(
    mine: Scram, caplog: pytest.LogCaptureFixture
) -> None:
    """Both ways: the signature that Autobahn expects of the router is the one that is taken."""
    other = auth.AuthScram(authid="shop", password=SECRET)
    other._client_nonce = mine.extra["nonce"]
    extra = scram(mine)
    answer = mine.answer(extra)
    assert answer == other.on_challenge(None, Challenge("scram", extra)).decode()
    server_key = hmac.digest(other._salted_password, b"Server Key", "sha256")
    proof = hmac.digest(server_key, other._auth_message, "sha256")
    mine.check({"scram_server_signature": base64.b64encode(proof).decode()})
    for wrong in (proof[::-1], proof[:-1], b""):
        with pytest.raises(Unanswerable, match="does not prove that it knows the password"):
            mine.check({"scram_server_signature": base64.b64encode(wrong).decode()})
    for nothing in ({}, {"scram_server_signature": 7}):
        with pytest.raises(Unanswerable, match="does not prove"):
            mine.check(nothing)


def test_challenge_scram_router_that_has_not_asked_proves_nothing(mine: Scram) -> None:
    with pytest.raises(Unanswerable, match="does not prove"):
        mine.check({"scram_server_signature": ""})


def test_challenge_scram_nonces_are_new_each_time() -> None:
    assert len({str(method("scram").extra) for _ in range(5)}) == 5


def test_challenge_cryptosign_is_signed() -> None:
    mine, challenge = method("cryptosign", SEED), "ab" * 32
    answer = mine.answer({"challenge": challenge})
    assert answer[128:] == challenge
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED)).public_key()
    key.verify(bytes.fromhex(answer[:128]), bytes.fromhex(challenge))
    assert mine.extra == {"pubkey": key.public_bytes_raw().hex(), "channel_binding": None}


@pytest.mark.parametrize(
    ("name", "extra", "text"),
    [
        ("wampcra", {}, "has no challenge"),
        ("wampcra", {"challenge": 7}, "has no challenge"),
        ("wampcra", {"challenge": "x" * 70_000}, "has no challenge"),
        ("wampcra", {"challenge": "x", "salt": "s"}, "has no iterations from 1 to"),
        (
            "wampcra",
            {"challenge": "x", "salt": "s", "iterations": MAX_ITERATIONS + 1, "keylen": 32},
            "has no iterations from 1 to",
        ),
        (
            "wampcra",
            {"challenge": "x", "salt": "s", "iterations": True, "keylen": 32},
            "has no iterations from 1 to",
        ),
        (
            "wampcra",
            {"challenge": "x", "salt": "s", "iterations": 1, "keylen": 10**9},
            "has no keylen from 1 to",
        ),
        ("cryptosign", {}, "has no challenge"),
        ("cryptosign", {"challenge": "zz" * 32}, "is not hexadecimal"),
        ("cryptosign", {"challenge": "ab" * 31}, "has not 32 octets"),
    ],
)
def test_challenge_that_cannot_be_answered(name: str, extra: dict[str, Any], text: str) -> None:
    with pytest.raises(Unanswerable, match=text):
        method(name, SEED).answer(extra)


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"nonce": SALT}, "nonce does not begin with ours"),
        ({"nonce": "?"}, "is not base64"),
        ({"nonce": None}, "has no nonce"),
        ({"salt": "?"}, "is not base64"),
        ({"salt": base64.b64encode(b"short").decode()}, "cannot be"),
        ({"kdf": "pbkdf2"}, "something else than argon2id-13"),
        ({"iterations": 0}, "has no iterations"),
        ({"memory": MAX_MEMORY + 1}, "has no memory"),
        ({"memory": 1}, "cannot be"),
        ({"iterations": MAX_WORK // MAX_MEMORY + 1, "memory": MAX_MEMORY}, "too much work"),
    ],
)
def test_challenge_scram_that_cannot_be_answered(
    mine: Scram, extra: dict[str, Any], text: str
) -> None:
    with pytest.raises(Unanswerable, match=text):
        mine.answer(scram(mine, **extra))
