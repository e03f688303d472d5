"""Who a command is: options and files, and what they take the place of."""

from pathlib import Path
from typing import Any

import click
import pytest

from flask_wamp.cli.login import MAX_FILE, Identity, log_in
from flask_wamp.secret import Secret, revealed

HIDDEN = "a well kept secret"


def settings(before: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return what becomes of an application's settings."""
    found = dict(before)
    log_in(found, Identity(**options))
    return {key: revealed(value) for key, value in found.items()}


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """Return a file with a secret."""
    path = tmp_path / "proof"
    path.write_text(f"{HIDDEN}\n")
    return path


def test_login_says_nothing_by_default() -> None:
    before = {"WAMP_AUTHID": "shop", "WAMP_TICKET": "t"}
    assert settings(before) == before


def test_login_file_takes_the_place_of_what_the_application_has(proof: Path) -> None:
    before = {"WAMP_AUTHID": "shop", "WAMP_PRIVATE_KEY": "0" * 64, "WAMP_AUTHMETHOD": "cryptosign"}
    assert settings(before, ticket_file=proof) == {"WAMP_AUTHID": "shop", "WAMP_TICKET": HIDDEN}
    found = settings(before, authid="ann", authmethod="scram", secret_file=proof)
    assert found == {
        "WAMP_AUTHID": "ann",
        "WAMP_AUTHMETHOD": "scram",
        "WAMP_SECRET": HIDDEN,
    }


def test_login_name_keeps_what_the_environment_proves() -> None:
    before = {"WAMP_SECRET": HIDDEN}
    assert settings(before, authid="ann") == {"WAMP_AUTHID": "ann", **before}


def test_login_contents_are_secret(proof: Path) -> None:
    found: dict[str, Any] = {"WAMP_AUTHID": "shop"}
    log_in(found, Identity(ticket_file=proof))
    assert isinstance(found["WAMP_TICKET"], Secret)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"authid": "shop"}, "--authid 'shop' is invalid: nothing proves it"),
        ({"ticket_file": "proof"}, "--ticket-file '***' is invalid: say whose it is"),
        (
            {"authid": "shop", "ticket_file": "proof", "secret_file": "proof"},
            "--secret-file '***' is invalid: --ticket-file is there as well",
        ),
        ({"authmethod": "tls"}, "--authmethod 'tls' is invalid: it needs WAMP_TLS_CERT"),
        ({"authid": "a", "secret_file": "missing"}, "cannot be read: No such file or directory."),
        ({"authid": "a", "secret_file": "bytes"}, "cannot be read: it is no text."),
        ({"authid": "a", "secret_file": "empty"}, "--secret-file '***' is invalid: give a text"),
        ({"authid": "a", "key_file": "proof"}, "--key-file '***' is invalid: the file has no Ed2"),
    ],
)
def test_login_options_that_cannot_be(
    options: dict[str, Any], text: str, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(proof.parent)
    Path("bytes").write_bytes(b"\xff")
    Path("empty").touch()
    given = {key: Path(value) if key.endswith("file") else value for key, value in options.items()}
    with pytest.raises(click.UsageError) as raised:
        settings({}, **given)
    assert text in str(raised.value)
    assert HIDDEN not in str(raised.value)


def test_login_file_is_read_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_text("x" * (MAX_FILE + 1))
    assert len(settings({"WAMP_AUTHID": "a"}, ticket_file=path)["WAMP_TICKET"]) == MAX_FILE
