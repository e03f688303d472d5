"""``connect`` before it connects: what it refuses, and where."""

from typing import Any

import pytest

from flask_wamp import ConfigError, connect

from .doubles import run_program


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"url": "http://h/"}, "url = 'http://h/' is invalid: unknown scheme; use ws://"),
        ({"url": ["ws://h/", "rs://h"]}, "url = ['ws://h/', 'rs://h'] is invalid: 'rs://h': no"),
        ({"url": 8080}, "url = 8080 is invalid"),
        ({"realm": "realm 1"}, "realm = 'realm 1' is invalid: name a realm"),
        ({"timeout": 0}, "timeout = 0 is invalid: give a number of seconds"),
        ({"serializer": "pickle"}, "serializer = 'pickle' is invalid: give 'cbor', 'msgpack'"),
        ({"uri_prefix": "com example"}, "uri_prefix = 'com example' is invalid"),
        (
            {"tls_ca": "ca.pem"},
            "tls_ca = 'ca.pem' is invalid: url names no wss:// or rss://",
        ),
        (
            {"url": "wss://h/", "tls_key": __file__},
            f"tls_key = {__file__!r} is invalid: name the certificate as well, in tls_cert.",
        ),
        (
            {"url": "wss://h/", "tls_cert": "/nowhere.pem"},
            "tls_cert = '/nowhere.pem' is invalid: /nowhere.pem cannot be read, No such file",
        ),
        ({"authid": "shop"}, "authid = 'shop' is invalid: nothing proves it: add ticket, secret"),
        ({"ticket": "t"}, "ticket = '***' is invalid: say whose it is, in authid"),
        (
            {"authid": "shop", "ticket": "t", "secret": "s"},
            "secret = '***' is invalid: ticket is there as well",
        ),
        (
            {"authid": "shop", "private_key": "0" * 63},
            "private_key = '***' is invalid: it is no key, and no file that can be read",
        ),
        (
            {"authid": "shop", "secret": "s", "authmethod": "ticket"},
            "authmethod = 'ticket' is invalid: secret is for another",
        ),
    ],
)
def test_connect_refuses_by_the_names_of_its_arguments(
    arguments: dict[str, Any], text: str
) -> None:
    """And at once, not when it is entered."""
    with pytest.raises(ConfigError) as caught:
        connect(**arguments)
    assert str(caught.value).startswith(text)


def test_connect_refuses_what_it_does_not_know() -> None:
    unknown: dict[str, Any] = {"time_out": 3}
    with pytest.raises(TypeError, match="time_out"):
        connect(**unknown)


def test_connect_without_with_says_what_to_write() -> None:
    connection: Any = connect()
    with pytest.raises(AttributeError, match=r"write `with flask_wamp\.connect\(\.\.\.\) as"):
        connection.call("com.example.add", 1, 2)


def test_connect_says_what_it_is() -> None:
    assert repr(connect()) == "<connect('ws://localhost:8080/ws', 'realm1')>"
    assert repr(connect("rs://h:1, rs://i:2", "two")) == "<connect('rs://h:1, rs://i:2', 'two')>"


def test_connect_keeps_secrets_out_of_tracebacks() -> None:
    """Those that show the local variables of every frame."""
    with pytest.raises(ConfigError) as caught:
        connect(authid="shop", secret="well kept", authmethod="ticket")
    frames = [dict(entry.frame.f_locals) for entry in caught.traceback[1:]]
    assert len(frames) == 2
    # Half made, it has no repr.
    del frames[1]["self"]
    assert "well kept" not in repr(frames)


def test_connect_loads_no_reactor_before_it_is_entered() -> None:
    printed = run_program(
        """
        import sys
        import flask_wamp

        flask_wamp.connect("ws://localhost:8080/ws", "realm1", timeout=3)
        print("twisted" in sys.modules, "cryptography" in sys.modules)
        """
    )
    assert printed == "False False\n"
