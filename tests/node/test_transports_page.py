"""The blocks of docs/howto/transports.md: the routers, the certificates, the node's transport."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from flask_wamp import NotConnected
from flask_wamp.connecting import open_link
from flask_wamp.state import state_of

from .programs import python
from .support import LIMIT, Peer, missing_service
from .transports import BLOCKS, Transports

pytestmark = pytest.mark.node


def test_every_block_is_run_by_a_test() -> None:
    """Here, but for those of logging in, which are run by ``test_logging_in.py``."""
    assert BLOCKS.keys() == {
        "certificates",
        "fresh.py",
        "login.py",
        "principals",
        "secure.py",
        "several.py",
        "several.sh",
        "transport",
    }


def application(text: str, *replacements: tuple[str, str]) -> Flask:
    """Return the application of a block, with other addresses in it."""
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(text, "<block>", "exec"), names)  # noqa: S102 - the documentation's own
    app: Flask = names["app"]
    return app


def stop(app: Flask) -> None:
    """End the connection of a block's application."""
    from flask_wamp import WAMP

    WAMP().stop(app)


def test_several_routers_are_tried_in_order(transports: Transports, trusted: Peer) -> None:
    trusted.register("com.shop.stock", {"tea": 7}.__getitem__)
    there = urlsplit(transports.urls["rs"]).netloc
    app = application(
        BLOCKS["several.py"], ("router-a:8081", "127.0.0.1:1"), ("router-b:8081", there)
    )
    try:
        assert app.test_client().get("/stock/tea").json == {"stock": 7}
    finally:
        stop(app)


def test_several_routers_come_from_the_environment(transports: Transports) -> None:
    key, _, value = BLOCKS["several.sh"].strip().partition("=")
    there = urlsplit(transports.urls["rs"]).netloc
    value = value.replace("router-a:8081", "127.0.0.1:1").replace("router-b:8081", there)
    with python(
        "-m", "flask", "--app", "tests.node.apps.script", "sum", "1", "2", env={key: value}
    ) as program:
        assert program.wait() == 0
        assert program.output == "3\n"


@pytest.fixture
def page(transports: Transports, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be where the certificates of the page are."""
    if "page" not in transports.urls:
        missing_service("no openssl here (Debian: apt-get install openssl)")
    monkeypatch.chdir(transports.page)
    return transports.page


def test_certificates_let_the_application_in(transports: Transports, page: Path) -> None:
    here = urlsplit(transports.urls["page"]).netloc
    app = application(BLOCKS["secure.py"], ("router.example:8443", here))
    try:
        with app.app_context():
            assert app.extensions["wamp"].client.call("com.test.add", 1, 2) == 3
    finally:
        stop(app)


def test_certificate_is_what_lets_in(transports: Transports, page: Path) -> None:
    app = application(
        BLOCKS["secure.py"],
        ("router.example:8443", urlsplit(transports.urls["page"]).netloc),
        ('    WAMP_TLS_CERT="client.pem",\n    WAMP_TLS_KEY="client.key",\n', ""),
    )
    try:
        with pytest.raises(NotConnected, match="wants a client certificate"):
            open_link(state_of(app), LIMIT)
    finally:
        stop(app)


def test_transport_is_what_crossbar_takes(transports: Transports) -> None:
    """Nothing but the port and the folder of the files is another one in the tests' node."""
    if "page" not in transports.urls:
        missing_service("no openssl here (Debian: apt-get install openssl)")
    (used,) = [config for config in transports.configs if config["id"] == "page"]
    text = json.dumps(used).replace(f"{transports.page}/", "")
    config = json.loads(text)
    del config["id"], config["endpoint"]["interface"]
    config["endpoint"]["port"] = 8443
    assert config == json.loads(BLOCKS["transport"])
