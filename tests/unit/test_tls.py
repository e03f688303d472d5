"""The keys ``WAMP_TLS_*``, and the files that they name."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from flask_wamp import ConfigError
from flask_wamp import tls as tls_module
from flask_wamp.config import WampConfig
from flask_wamp.tls import TLSFiles, authorities, identity
from tests.certificates import Authority

URL = "wss://router.example/ws"


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with PEM files, good and bad ones."""
    directory = tmp_path_factory.mktemp("pems")
    authority, other = Authority("root"), Authority("another root")
    authority.write(directory / "ca.pem")
    (directory / "cas.pem").write_bytes(authority.pem + other.pem)
    client, second = authority.issue("client"), authority.issue("second")
    (directory / "client.pem").write_bytes(client.pem)
    (directory / "client.key").write_bytes(client.key_pem())
    (directory / "both.pem").write_bytes(client.key_pem() + client.pem + authority.pem)
    (directory / "second.key").write_bytes(second.key_pem())
    (directory / "encrypted.key").write_bytes(client.key_pem(passphrase=b"open sesame"))
    (directory / "broken.key").write_text(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"  # pragma: allowlist secret - none
    )
    (directory / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    (directory / "empty.pem").write_text("")
    return directory


def read(url: str = URL, **keys: Any) -> TLSFiles:
    """Return what an application with these keys gets, ``ca`` for ``WAMP_TLS_CA``."""
    named = {f"WAMP_TLS_{key.upper()}": value for key, value in keys.items()}
    return WampConfig.from_mapping({"WAMP_URL": url, **named}).tls


def test_tls_without_files_trusts_the_platform() -> None:
    assert read() == TLSFiles()
    assert authorities(TLSFiles()) == []
    assert identity(TLSFiles()) is None


def test_tls_ca_may_be_several(pems: Path) -> None:
    files = read(ca=pems / "cas.pem")
    assert files == TLSFiles(ca=pems / "cas.pem")
    assert len(authorities(files)) == 2


def test_tls_certificate_with_a_key_of_its_own(pems: Path) -> None:
    files = read(cert=str(pems / "client.pem"), key=str(pems / "client.key"))
    assert files == TLSFiles(cert=pems / "client.pem", key=pems / "client.key")
    client = identity(files)
    assert client is not None
    assert client.key.public_key() == client.certificate.public_key()
    assert client.chain == []


def test_tls_certificate_chain_and_key_in_one_file(pems: Path) -> None:
    files = read(cert=pems / "both.pem")
    assert files == TLSFiles(cert=pems / "both.pem", key=pems / "both.pem")
    client = identity(files)
    assert client is not None
    assert len(client.chain) == 1


def test_tls_paths_stay_where_they_were(pems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that changes its directory later connects all the same."""
    monkeypatch.chdir(pems)
    files = read(ca="ca.pem")
    monkeypatch.chdir("/")
    assert len(authorities(files)) == 1


def test_tls_path_at_home(pems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pems))
    assert read(ca="~/ca.pem").ca == pems / "ca.pem"


def test_tls_one_of_several_urls_is_enough(pems: Path) -> None:
    assert read("unix:/r.sock,rss://two:8443", ca=pems / "ca.pem").ca is not None


@pytest.mark.parametrize("url", ["ws://h/ws", "rs://h:1", "unix:/r.sock", "ws+unix:/r.sock"])
@pytest.mark.parametrize("key", ["ca", "cert", "key"])
def test_tls_file_that_nothing_would_use_is_refused(pems: Path, url: str, key: str) -> None:
    with pytest.raises(ConfigError, match="names no wss:// or rss://, so nothing would be encr"):
        read(url, **{key: pems / "both.pem"})


@pytest.mark.parametrize(
    ("keys", "refused", "remedy"),
    [
        ({"ca": "missing.pem"}, "CA", "missing.pem cannot be read, No such file or directory"),
        ({"ca": "."}, "CA", "cannot be read, Is a directory"),
        ({"ca": "empty.pem"}, "CA", "empty.pem has no certificate"),
        ({"ca": "broken.pem"}, "CA", "broken.pem has no certificate, or one that cannot be read"),
        ({"ca": "client.key"}, "CA", "client.key has no certificate"),
        ({"ca": ""}, "CA", "give the path of a PEM file"),
        ({"ca": True}, "CA", "give the path of a PEM file"),
        ({"key": "client.key"}, "KEY", "name the certificate as well, in WAMP_TLS_CERT"),
        ({"cert": "missing.pem"}, "CERT", "missing.pem cannot be read"),
        ({"cert": "missing.pem", "key": "client.key"}, "CERT", "missing.pem cannot be read"),
        ({"cert": "empty.pem", "key": "client.key"}, "CERT", "empty.pem has no certificate"),
        ({"cert": "client.pem"}, "CERT", "client.pem has no private key: name the file that has"),
        ({"cert": "client.key"}, "CERT", "client.key has no certificate"),
        ({"cert": "client.pem", "key": "no.key"}, "KEY", "no.key cannot be read, No such file"),
        ({"cert": "client.pem", "key": "ca.pem"}, "KEY", "ca.pem has no private key"),
        ({"cert": "client.pem", "key": "second.key"}, "KEY", "is not that of the first certif"),
        ({"cert": "client.pem", "key": "encrypted.key"}, "KEY", "encrypted, and nobody is there"),
        ({"cert": "client.pem", "key": "broken.key"}, "KEY", "broken.key cannot be read"),
    ],
)
def test_tls_file_is_refused_with_the_remedy(
    pems: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], refused: str, remedy: str
) -> None:
    monkeypatch.chdir(pems)
    with pytest.raises(ConfigError) as caught:
        read(**keys)
    text = str(caught.value)
    assert text.startswith(f"WAMP_TLS_{refused} = {keys[refused.lower()]!r} is invalid: ")
    assert remedy in text
    assert "\n" not in text


def test_tls_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        tls_module, "find_spec", lambda name: None if name == "OpenSSL" else find_spec(name)
    )
    with pytest.raises(ConfigError) as caught:
        read()
    assert str(caught.value) == (
        f"WAMP_URL = {URL!r} is invalid: TLS needs more packages: pip install 'flask-wamp[tls]'."
    )
    assert read("ws://h/ws") == TLSFiles()
