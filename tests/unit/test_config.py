"""The ``WAMP_*`` keys."""

import dataclasses
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP, ConfigError
from flask_wamp.address import MAX_URLS, Address
from flask_wamp.config import MAX_THREADS, WampConfig
from flask_wamp.state import state_of
from flask_wamp.tls import TLSFiles


def read(**config: Any) -> WampConfig:
    """Return what an application with this configuration gets."""
    return WampConfig.from_mapping(config)


def test_config_defaults() -> None:
    config = read()
    assert config.addresses == (
        Address("ws://localhost:8080/ws", websocket=True, host="localhost", port=8080),
    )
    assert config.realm == "realm1"
    assert config.timeout == 10.0
    assert config.threads == 8
    assert config.uri_prefix == ""
    assert config.serializers == ("cbor", "msgpack", "json")
    assert config.tls == TLSFiles()


def test_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().realm = "realm2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://h:1/ws", Address("ws://h:1/ws", websocket=True, host="h", port=1)),
        ("ws://h/ws", Address("ws://h/ws", websocket=True, host="h", port=80)),
        ("wss://h/ws", Address("wss://h/ws", websocket=True, tls=True, host="h", port=443)),
        ("wss://h:99", Address("wss://h:99", websocket=True, tls=True, host="h", port=99)),
        ("ws://[::1]:9/", Address("ws://[::1]:9/", websocket=True, host="::1", port=9)),
        ("rs://h:8081", Address("rs://h:8081", websocket=False, host="h", port=8081)),
        ("rss://h:8081", Address("rss://h:8081", websocket=False, tls=True, host="h", port=8081)),
        ("unix:/run/r.sock", Address("unix:/run/r.sock", websocket=False, path="/run/r.sock")),
        ("unix:///run/r.sock", Address("unix:///run/r.sock", websocket=False, path="/run/r.sock")),
        ("unix:r.sock", Address("unix:r.sock", websocket=False, path="r.sock")),
        ("unix://r.sock", Address("unix://r.sock", websocket=False, path="r.sock")),
        ("ws+unix:/r.sock", Address("ws+unix:/r.sock", websocket=True, path="/r.sock")),
        (
            "ws+unix:/r.sock:/ws?a=b",
            Address("ws+unix:/r.sock:/ws?a=b", websocket=True, path="/r.sock", resource="/ws?a=b"),
        ),
    ],
)
def test_config_url(url: str, address: Address) -> None:
    assert read(WAMP_URL=url).addresses == (address,)


@pytest.mark.parametrize(
    ("url", "handshake"),
    [
        ("wss://h:9/ws?a=b", "wss://h:9/ws?a=b"),
        ("ws+unix:/r.sock", "ws://localhost/"),
        ("ws+unix:/r.sock:/ws?a=b", "ws://localhost/ws?a=b"),
    ],
)
def test_config_url_of_the_websocket_handshake(url: str, handshake: str) -> None:
    assert read(WAMP_URL=url).addresses[0].websocket_url == handshake


@pytest.mark.parametrize(
    "urls",
    [
        "ws://one/ws,unix:/r.sock",
        " ws://one/ws , unix:/r.sock ",
        ["ws://one/ws", "unix:/r.sock"],
        ("ws://one/ws", "unix:/r.sock"),
    ],
)
def test_config_several_urls_keep_their_order(urls: Any) -> None:
    config = read(WAMP_URL=urls)
    assert [address.url for address in config.addresses] == ["ws://one/ws", "unix:/r.sock"]
    assert config.urls == "ws://one/ws, unix:/r.sock"


@pytest.mark.parametrize(
    ("urls", "remedy"),
    [
        ("ws://one/ws,http://two/", "'http://two/': unknown scheme; use ws://"),
        ("ws://one/ws,", "'': unknown scheme"),
        (["ws://one/ws", "rs://two"], "'rs://two': no host or no port"),
        ("wss://one/ws,ws://two/ws", "ws://two/ws is not encrypted, and others are"),
        (["rs://10.0.0.1:8081", "rss://two:1"], "rs://10.0.0.1:8081 is not encrypted, and others"),
        ([], f"from 1 to {MAX_URLS} URLs"),
        (["ws://h/"] * (MAX_URLS + 1), f"from 1 to {MAX_URLS} URLs"),
        ([8080], "neither a text nor a list of texts"),
        ({"url": "ws://h/"}, "neither a text nor a list of texts"),
    ],
)
def test_config_several_urls_are_checked_each(urls: Any, remedy: str) -> None:
    with pytest.raises(ConfigError, match=r"^WAMP_URL = ") as caught:
        read(WAMP_URL=urls)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "other", ["unix:/r.sock", "ws://localhost/ws", "rs://127.0.0.1:1", "ws://[::1]:8080/ws"]
)
def test_config_router_on_this_machine_needs_no_tls(other: str) -> None:
    assert len(read(WAMP_URL=["wss://one/ws", other]).addresses) == 2


@pytest.mark.parametrize("urls", ["ws://h/,ws://alice:secret@i/", ["ws://alice:secret@h/"]])
def test_config_password_in_one_of_several_urls_is_not_shown(urls: Any) -> None:
    with pytest.raises(ConfigError, match="passwords") as caught:
        read(WAMP_URL=urls)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "serializers"),
    [
        ("json", ("json",)),
        ("msgpack,cbor", ("msgpack", "cbor")),
        (" msgpack , json ", ("msgpack", "json")),
        (["json", "cbor", "json"], ("json", "cbor")),
        (None, ("cbor", "msgpack", "json")),
    ],
)
def test_config_serializer(value: Any, serializers: tuple[str, ...]) -> None:
    assert read(WAMP_SERIALIZER=value).serializers == serializers


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (("CROSSBAR_URL",), "CROSSBAR_URL"),
        (("ROUTER_URL",), "ROUTER_URL"),
        (("ROUTER_URL", "CROSSBAR_URL"), "CROSSBAR_URL"),
        (("ROUTER_URL", "CROSSBAR_URL", "WAMP_URL"), "WAMP_URL"),
    ],
)
def test_config_url_aliases_in_order(given: tuple[str, ...], taken: str) -> None:
    config = {key: f"ws://{key.lower()}/ws" for key in given}
    assert read(**config).urls == f"ws://{taken.lower()}/ws"


def test_config_none_leaves_the_next_alias() -> None:
    assert read(WAMP_URL=None, ROUTER_URL="ws://router/").urls == "ws://router/"
    assert read(WAMP_REALM=None, REALM="two").realm == "two"


def test_config_realm() -> None:
    assert read(REALM="two").realm == "two"
    assert read(REALM="two", WAMP_REALM="one").realm == "one"


@pytest.mark.parametrize("seconds", [0.1, 1, 10.5, 86_400])
def test_config_timeout(seconds: float) -> None:
    timeout = read(WAMP_TIMEOUT=seconds).timeout
    assert timeout == seconds
    assert type(timeout) is float


@pytest.mark.parametrize(("given", "ping"), [(None, 10.0), (0, 0.0), (0.0, 0.0), (0.5, 0.5)])
def test_config_ping(given: float | None, ping: float) -> None:
    assert read(WAMP_PING=given).ping == ping


@pytest.mark.parametrize("threads", [1, 8, MAX_THREADS])
def test_config_threads(threads: int) -> None:
    assert read(WAMP_THREADS=threads).threads == threads


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        ("", ""),
        (None, ""),
        ("com.example", "com.example."),
        ("com.example.", "com.example."),
        ("shop", "shop."),
    ],
)
def test_config_uri_prefix(value: str | None, prefix: str) -> None:
    assert read(WAMP_URI_PREFIX=value).uri_prefix == prefix


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("WAMP_URL", "http://h/", "use ws://HOST:PORT/PATH"),
        ("WAMP_URL", "localhost:8080", "use ws://HOST:PORT/PATH"),
        ("WAMP_URL", "", "use ws://HOST:PORT/PATH"),
        ("WAMP_URL", "ws:///ws", "no host"),
        ("WAMP_URL", "rs://h", "no port"),
        ("WAMP_URL", "ws://h:99999/", "port is not a number"),
        ("WAMP_URL", "ws://h:port/", "port is not a number"),
        ("WAMP_URL", "ws://h/#x", "fragments"),
        ("WAMP_URL", "unix:", "no path"),
        ("WAMP_URL", "ws://[::1/", "use ws://HOST:PORT/PATH"),
        ("WAMP_URL", "ws+unix:", "no path"),
        ("WAMP_URL", "ws+unix::/ws", "no path"),
        ("WAMP_URL", 8080, "use ws://HOST:PORT/PATH"),
        ("CROSSBAR_URL", "http://h/", "use ws://HOST:PORT/PATH"),
        ("ROUTER_URL", "http://h/", "use ws://HOST:PORT/PATH"),
        ("WAMP_REALM", "", "name a realm"),
        ("WAMP_REALM", "realm 1", "name a realm"),
        ("WAMP_REALM", "realm#1", "name a realm"),
        ("WAMP_REALM", 1, "name a realm"),
        ("REALM", "realm 1", "name a realm"),
        ("WAMP_TIMEOUT", 0, "number of seconds above 0"),
        ("WAMP_TIMEOUT", -1, "number of seconds above 0"),
        ("WAMP_TIMEOUT", 86_401, "up to 86400"),
        ("WAMP_TIMEOUT", float("nan"), "number of seconds above 0"),
        ("WAMP_TIMEOUT", float("inf"), "number of seconds above 0"),
        ("WAMP_TIMEOUT", "10", "number of seconds above 0"),
        ("WAMP_TIMEOUT", True, "number of seconds above 0"),
        ("WAMP_PING", -1, "number of seconds above 0"),
        ("WAMP_PING", "10", "or 0 to ask for no sign of life"),
        ("WAMP_PING", False, "or 0 to ask for no sign of life"),
        ("WAMP_THREADS", 0, "whole number from 1"),
        ("WAMP_THREADS", MAX_THREADS + 1, f"to {MAX_THREADS}"),
        ("WAMP_THREADS", 2.0, "whole number from 1"),
        ("WAMP_THREADS", "8", "whole number from 1"),
        ("WAMP_THREADS", True, "whole number from 1"),
        ("WAMP_SERIALIZER", "", "'cbor', 'msgpack' or 'json'"),
        ("WAMP_SERIALIZER", "ubjson", "'cbor', 'msgpack' or 'json'"),
        ("WAMP_SERIALIZER", "CBOR", "'cbor', 'msgpack' or 'json'"),
        ("WAMP_SERIALIZER", [], "'cbor', 'msgpack' or 'json'"),
        ("WAMP_SERIALIZER", ["cbor", ["json"]], "'cbor', 'msgpack' or 'json'"),
        ("WAMP_SERIALIZER", 3, "'cbor', 'msgpack' or 'json'"),
        ("WAMP_URI_PREFIX", "com example", "dotted words"),
        ("WAMP_URI_PREFIX", "com..example", "dotted words"),
        ("WAMP_URI_PREFIX", ".", "dotted words"),
        ("WAMP_URI_PREFIX", "wamp", "outside 'wamp.'"),
        ("WAMP_URI_PREFIX", "wamp.error.", "outside 'wamp.'"),
        ("WAMP_URI_PREFIX", 5, "dotted words"),
    ],
)
def test_config_invalid_names_key_value_and_remedy(key: str, value: Any, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**{key: value})
    assert str(caught.value).startswith(f"{key} = {value!r} is invalid: ")
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ws://alice:secret@h:8080/ws",
        "ws://alice:sec@secret@h:8080/ws",
        "ws://alice:sec/secret@h:8080/ws",
        "ws://:secret@h:8080/ws",
        "http://alice:secret@h:8080/ws",
    ],
)
def test_config_password_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(WAMP_URL=url)
    assert "secret" not in str(caught.value)
    assert "sec" not in str(caught.value).partition("; ")[0]
    assert "@h:8080/ws" in str(caught.value)


def test_config_invalid_is_refused_in_init_app() -> None:
    app = Flask("shop")
    app.config["WAMP_TIMEOUT"] = -1
    with pytest.raises(ConfigError, match="WAMP_TIMEOUT = -1"):
        WAMP(app)
    assert "wamp" not in app.extensions


def test_config_of_the_application_is_read() -> None:
    app = Flask("shop")
    app.config.update(WAMP_REALM="two", WAMP_TIMEOUT=3, WAMP_THREADS=2, WAMP_URI_PREFIX="shop")
    WAMP(app)
    config = state_of(app).config
    assert (config.realm, config.timeout, config.threads) == ("two", 3.0, 2)
    assert config.uri_prefix == "shop."


def test_config_outbox() -> None:
    assert (read().outbox_poll, read().outbox_awaits) == (0.5, frozenset())
    config = read(WAMP_OUTBOX_POLL=2, WAMP_OUTBOX_AWAITS="com.shop.a,com.shop.b")
    assert config.outbox_poll == 2.0
    assert config.outbox_awaits == {"com.shop.a", "com.shop.b"}
    assert read(WAMP_OUTBOX_AWAITS=["com.shop.a"]).outbox_awaits == {"com.shop.a"}


@pytest.mark.parametrize(
    "config",
    [{"WAMP_OUTBOX_POLL": 0}, {"WAMP_OUTBOX_POLL": "x"}, {"WAMP_OUTBOX_AWAITS": 7}]
    + [{"WAMP_OUTBOX_AWAITS": value} for value in (["a b"], [1], "com..shop")],
)
def test_config_outbox_refuses(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"WAMP_OUTBOX_\w+ = .* is invalid: give "):
        read(**config)
