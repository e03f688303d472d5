"""``WAMP_AUTHID`` and what proves it: what is meant, what is refused, and that nothing is shown."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from flask import Flask

from flask_wamp import WAMP, ConfigError
from flask_wamp.config import WampConfig
from flask_wamp.credentials import MAX_AUTHID, Credentials
from flask_wamp.secret import Secret, hidden, revealed
from tests.certificates import Authority

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SEED = bytes(range(32)).hex()
HIDDEN = "a well kept secret"
SHOP = {"WAMP_AUTHID": "shop"}


def read(**config: Any) -> Credentials | None:
    """Return how an application with this configuration logs in."""
    return WampConfig.from_mapping(config).credentials


def refusal(config: Mapping[str, Any]) -> str:
    """Return why an application with this configuration cannot be; it shows nothing secret."""
    app = Flask("shop")
    app.config.from_mapping(config)
    with pytest.raises(ConfigError) as raised:
        WAMP(app)
    text = str(raised.value)
    assert HIDDEN not in text
    assert SEED not in text
    return text


def test_credentials_are_none_by_default() -> None:
    assert read() is None


@pytest.mark.parametrize(
    ("config", "method", "secret"),
    [
        ({"WAMP_TICKET": HIDDEN}, "ticket", HIDDEN),
        ({"WAMP_TICKET": HIDDEN, "WAMP_AUTHMETHOD": "ticket"}, "ticket", HIDDEN),
        ({"WAMP_SECRET": HIDDEN}, "wampcra", HIDDEN),
        ({"WAMP_SECRET": Secret(HIDDEN)}, "wampcra", HIDDEN),
        ({"WAMP_SECRET": HIDDEN, "WAMP_AUTHMETHOD": "wampcra"}, "wampcra", HIDDEN),
        ({"WAMP_SECRET": HIDDEN, "WAMP_AUTHMETHOD": "scram"}, "scram", HIDDEN),
        ({"WAMP_PRIVATE_KEY": SEED}, "cryptosign", SEED),
        ({"WAMP_PRIVATE_KEY": SEED.upper()}, "cryptosign", SEED.upper()),
    ],
)
def test_credentials_of_each_method(config: dict[str, Any], method: str, secret: str) -> None:
    found = read(**SHOP, **config)
    assert found is not None
    assert (found.method, found.authid) == (method, "shop")
    assert isinstance(found.secret, Secret)
    assert found.secret.reveal() == secret
    assert secret not in repr(found)


def test_credentials_that_need_no_name() -> None:
    found = read(WAMP_PRIVATE_KEY=SEED)
    assert found is not None
    assert found.authid is None


def test_credentials_function_is_kept_for_later() -> None:
    def ticket() -> str:
        raise AssertionError("nobody has asked")

    found = read(**SHOP, WAMP_TICKET=ticket)
    assert found is not None
    assert found.secret is ticket


def test_credentials_certificate(tmp_path: Path) -> None:
    pem = Authority("the tests").issue("shop").write(tmp_path / "shop.pem", key=True)
    config = {"WAMP_URL": "wss://h/ws", "WAMP_TLS_CERT": str(pem)}
    assert read(**config) is None
    assert read(**config, WAMP_AUTHMETHOD="tls") == Credentials("tls")
    assert read(**config, **SHOP, WAMP_AUTHMETHOD="tls") == Credentials("tls", "shop")
    mixed = {**config, "WAMP_URL": "wss://h/ws,ws://localhost/ws", "WAMP_AUTHMETHOD": "tls"}
    assert "ws://localhost/ws of WAMP_URL does not use TLS" in refusal(mixed)


PEM = {
    "openssh": KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    "pkcs8": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "hexadecimal": f"{SEED}\n".encode(),
    "crossbar": f"creator: x@y\nprivate-key-ed25519: {SEED}\npublic-key: 00\n".encode(),
}


@pytest.mark.parametrize("kind", PEM)
def test_credentials_file_of_a_private_key(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "shop.key"
    path.write_bytes(PEM[kind])
    for value in (path, str(path)):
        found = read(**SHOP, WAMP_PRIVATE_KEY=value)
        assert found is not None
        assert revealed(found.secret) == SEED


def _elliptic() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        SEED[:-1].encode(),
        KEY.public_key().public_bytes_raw(),
        _elliptic(),
        *(
            KEY.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"passphrase"))
            for form in (PrivateFormat.PKCS8, PrivateFormat.OpenSSH)
        ),
    ],
    ids=["empty", "garbage", "short", "public", "another kind", "encrypted", "encrypted openssh"],
)
def test_credentials_file_without_a_private_key(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "shop.key"
    path.write_bytes(data)
    text = refusal({**SHOP, "WAMP_PRIVATE_KEY": path})
    assert text.startswith("WAMP_PRIVATE_KEY = '***' is invalid: the file has no Ed25519 private")


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (SHOP, "WAMP_AUTHID = 'shop' is invalid: nothing proves it: add WAMP_TICKET, WAMP_SECRET,"),
        ({**SHOP, "WAMP_AUTHID": ""}, "WAMP_AUTHID = '' is invalid: give a text"),
        ({"WAMP_AUTHID": "a\nb", "WAMP_SECRET": HIDDEN}, "WAMP_AUTHID = 'a\\nb' is invalid"),
        ({"WAMP_AUTHID": 7, "WAMP_SECRET": HIDDEN}, "WAMP_AUTHID = 7 is invalid: give a text"),
        ({"WAMP_AUTHID": "x" * (MAX_AUTHID + 1), "WAMP_SECRET": HIDDEN}, "of 1 to 256 characters"),
        (
            {"WAMP_TICKET": HIDDEN},
            "WAMP_TICKET = '***' is invalid: say whose it is, in WAMP_AUTHID",
        ),
        ({"WAMP_SECRET": HIDDEN}, "WAMP_SECRET = '***' is invalid: say whose it is"),
        (
            {**SHOP, "WAMP_TICKET": HIDDEN, "WAMP_SECRET": HIDDEN},
            "WAMP_SECRET = '***' is invalid: WAMP_TICKET is there as well: leave one",
        ),
        (
            {**SHOP, "WAMP_TICKET": HIDDEN, "WAMP_SECRET": HIDDEN, "WAMP_AUTHMETHOD": "ticket"},
            "WAMP_SECRET = '***' is invalid: WAMP_TICKET is there as well: leave one",
        ),
        (
            {**SHOP, "WAMP_TICKET": HIDDEN, "WAMP_AUTHMETHOD": "scram"},
            "WAMP_AUTHMETHOD = 'scram' is invalid: WAMP_TICKET is for another",
        ),
        (
            {**SHOP, "WAMP_AUTHMETHOD": "scram"},
            "WAMP_AUTHMETHOD = 'scram' is invalid: it needs WAMP_SECRET",
        ),
        ({"WAMP_AUTHMETHOD": "tls"}, "WAMP_AUTHMETHOD = 'tls' is invalid: it needs WAMP_TLS_CERT"),
        ({"WAMP_AUTHMETHOD": "kerberos"}, "is invalid: give 'ticket', 'wampcra', 'scram',"),
        ({"WAMP_AUTHMETHOD": ["ticket"]}, "is invalid: give 'ticket', 'wampcra', 'scram',"),
        ({**SHOP, "WAMP_TICKET": ""}, "WAMP_TICKET = '***' is invalid: give a text, or a function"),
        ({**SHOP, "WAMP_TICKET": 1234}, """double quotes where it may be a number, FLASK_WAMP_TICK"""),
        ({**SHOP, "WAMP_SECRET": lambda: HIDDEN}, "WAMP_SECRET = '***' is invalid: give a text, in"),
        ({**SHOP, "WAMP_PRIVATE_KEY": SEED + "0"}, "no file that can be read, No such file"),
        ({**SHOP, "WAMP_PRIVATE_KEY": SEED[1:]}, "give an Ed25519 key: 64 hexadecimal digits"),
        ({**SHOP, "WAMP_PRIVATE_KEY": "a\0b"}, "no file that can be read: give an Ed25519 key"),
        ({**SHOP, "WAMP_PRIVATE_KEY": "/"}, "no file that can be read, Is a directory"),
        ({**SHOP, "WAMP_PRIVATE_KEY": "~nobody-of-that-name/x"}, "no file that can be read"),
        ({**SHOP, "WAMP_PRIVATE_KEY": 7}, "WAMP_PRIVATE_KEY = '***' is invalid: give an Ed25519"),
        (
            {"WAMP_AUTHID": "größe", "WAMP_SECRET": HIDDEN, "WAMP_AUTHMETHOD": "scram"},
            "WAMP_AUTHID = 'größe' is invalid: SCRAM takes ASCII",
        ),
    ],
)  # fmt: skip
def test_credentials_that_cannot_be(config: dict[str, Any], text: str) -> None:
    assert text in refusal(config)


@pytest.mark.parametrize("url", ["ws://router/ws", "rs://10.0.0.1:1", "unix:/r,ws://router/ws"])
@pytest.mark.parametrize("ticket", [HIDDEN, lambda: HIDDEN])
def test_credentials_ticket_is_sent_to_no_other_machine_in_clear_text(
    url: str, ticket: Any
) -> None:
    text = refusal({**SHOP, "WAMP_TICKET": ticket, "WAMP_URL": url})
    assert "which is not encrypted, and a ticket travels as it is: use wss:// or rss://" in text
    assert read(**SHOP, WAMP_SECRET=HIDDEN, WAMP_URL=url) is not None


@pytest.mark.parametrize("url", ["wss://router/ws", "unix:/r", "ws://[::1]/", "rs://127.0.0.1:1"])
def test_credentials_ticket_where_nobody_reads_it(url: str) -> None:
    assert read(**SHOP, WAMP_TICKET=HIDDEN, WAMP_URL=url) is not None


def test_secret_is_shown_nowhere() -> None:
    secret = Secret(HIDDEN)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret):  # noqa: UP031
        assert HIDDEN not in text
        assert "***" in text
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)
    assert not hasattr(secret, "__dict__")
    assert revealed(hidden(HIDDEN)) == HIDDEN
    assert hidden(None) is None
