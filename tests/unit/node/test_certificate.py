"""A certificate for trying HTTPS out."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flask_wamp.node.certificate import main


def made(directory: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / "server.crt").read_bytes())


def test_certificate_is_for_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(tmp_path)])
    certificate = made(tmp_path)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    key = load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert "server.crt" in capsys.readouterr().out
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_certificate_is_for_the_hosts_that_are_named(tmp_path: Path) -> None:
    main([str(tmp_path), "--host", "shop.example", "--host", "192.0.2.7", "--days", "1"])
    names = made(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["shop.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_certificate_key_is_its_owners_alone(tmp_path: Path) -> None:
    main([str(tmp_path)])
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["server.key", "server.crt"])
def test_certificate_replaces_nothing(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 1
    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine"
