"""The ``WAMP_*`` keys of a Flask configuration, checked once, in ``init_app``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .address import DEFAULT_URL, URL_REMEDY, Address, urls_in
from .credentials import Credentials, credentials_in
from .errors import invalid_config
from .secret import Secret, hidden
from .tls import TLSFiles, tls_files
from .uris import invalid_uri

MAX_THREADS = 1000
#: The longest timeout, in seconds.
MAX_TIMEOUT = 86_400
#: Seconds after which a silent router is asked for a sign of life.
DEFAULT_PING = 10.0
#: How messages are written; a WebSocket offers all of them, in this order, where none is named.
SERIALIZERS = ("cbor", "msgpack", "json")


@dataclass(frozen=True, slots=True)
class WampConfig:
    """An application's WAMP configuration.

    :ivar addresses: where routers listen, the first choice first (``WAMP_URL``, ``CROSSBAR_URL``,
        ``ROUTER_URL``).
    :ivar realm: the realm to join (``WAMP_REALM``, ``REALM``).
    :ivar timeout: seconds that a call or an acknowledged publish may take (``WAMP_TIMEOUT``).
    :ivar threads: threads that run views at a time (``WAMP_THREADS``).
    :ivar uri_prefix: stands before default URIs; empty or ending in a dot (``WAMP_URI_PREFIX``).
    :ivar serializers: how messages are written, the first choice first (``WAMP_SERIALIZER``).
    :ivar tls: the files of ``wss`` and ``rss`` (``WAMP_TLS_CA``, ``WAMP_TLS_CERT``,
        ``WAMP_TLS_KEY``).
    :ivar credentials: how this process logs in (``WAMP_AUTHID``, ``WAMP_TICKET``, ``WAMP_SECRET``,
        ``WAMP_PRIVATE_KEY``, ``WAMP_AUTHMETHOD``); None lets the router take it as everybody.
    :ivar ping: seconds without a sign of life of the router after which one is asked for, 0 for never
        (``WAMP_PING``).
    :ivar serve: a process that answers HTTP serves procedures and subscriptions (``WAMP_SERVE``).
    :ivar trust_request_id: whoever sends a request may give it its correlation id
        (``WAMP_TRUST_REQUEST_ID``).
    :ivar metrics: count for Prometheus what the application does (``WAMP_METRICS``).
    :ivar metrics_token: who has it may see the metrics from anywhere (``WAMP_METRICS_TOKEN``).
    :ivar outbox_poll: seconds after which the database is asked for events that other processes have
        committed (``WAMP_OUTBOX_POLL``).
    :ivar outbox_awaits: topics whose durable events wait until somebody subscribes
        (``WAMP_OUTBOX_AWAITS``).
    """

    addresses: tuple[Address, ...]
    realm: str
    timeout: float
    threads: int
    uri_prefix: str
    serializers: tuple[str, ...]
    tls: TLSFiles
    credentials: Credentials | None = None
    serve: bool = False
    trust_request_id: bool = False
    metrics: bool = False
    metrics_token: Secret | None = None
    ping: float = DEFAULT_PING
    outbox_poll: float = 0.5
    outbox_awaits: frozenset[str] = frozenset()

    @property
    def urls(self) -> str:
        """Where routers listen, for a person to read."""
        return ", ".join(address.url for address in self.addresses)

    def seconds(self, timeout: float | None) -> float:
        """Return *timeout*, or the one of the configuration where there is none.

        :raises ValueError: it is no number of seconds.
        """
        return self.timeout if timeout is None else check_timeout(timeout)

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> "WampConfig":
        """Read the keys from a Flask *config*.

        :raises ConfigError: a value is invalid; the text names key, value and remedy.
        """
        key, url = _first(config, ("WAMP_URL", "CROSSBAR_URL", "ROUTER_URL"))
        addresses = _addresses(key, url)
        return cls(
            addresses=addresses,
            realm=_realm(*_first(config, ("WAMP_REALM", "REALM"))),
            timeout=_timeout("WAMP_TIMEOUT", config.get("WAMP_TIMEOUT")),
            threads=_threads("WAMP_THREADS", config.get("WAMP_THREADS")),
            uri_prefix=_uri_prefix("WAMP_URI_PREFIX", config.get("WAMP_URI_PREFIX")),
            serializers=_serializers("WAMP_SERIALIZER", config.get("WAMP_SERIALIZER")),
            tls=tls_files(config, key, [each.url for each in addresses if each.tls]),
            credentials=credentials_in(
                config,
                key,
                [each.url for each in addresses if each.is_exposed],
                [each.url for each in addresses if not each.tls],
            ),
            serve=_flag("WAMP_SERVE", config.get("WAMP_SERVE")),
            trust_request_id=_flag("WAMP_TRUST_REQUEST_ID", config.get("WAMP_TRUST_REQUEST_ID")),
            metrics=_flag("WAMP_METRICS", config.get("WAMP_METRICS")),
            metrics_token=_token("WAMP_METRICS_TOKEN", config.get("WAMP_METRICS_TOKEN")),
            ping=_ping("WAMP_PING", config.get("WAMP_PING")),
            outbox_poll=_timeout("WAMP_OUTBOX_POLL", config.get("WAMP_OUTBOX_POLL"), 0.5),
            outbox_awaits=_topics("WAMP_OUTBOX_AWAITS", config.get("WAMP_OUTBOX_AWAITS")),
        )


def check_timeout(value: Any) -> float:
    """Return *value* as seconds.

    :raises ValueError: it is no number of seconds.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= MAX_TIMEOUT:
        raise ValueError("give a number of seconds above 0 and up to 86400, as in 10")
    return float(value)


def _first(config: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, Any]:
    """Return the first of *keys* that has a value, with its value."""
    for key in keys:
        if config.get(key) is not None:
            return key, config[key]
    return keys[0], None


def _addresses(key: str, value: Any) -> tuple[Address, ...]:
    if value is None:
        value = DEFAULT_URL
    try:
        urls = urls_in(value)
    except ValueError as error:
        raise invalid_config(key, value, f"{error}; {URL_REMEDY}") from None
    addresses = tuple(_address(key, value, url) for url in urls)
    exposed = [address.url for address in addresses if address.is_exposed]
    if exposed and any(address.tls for address in addresses):
        # Who can keep a connection from being made would choose the one that he can read.
        remedy = f"{exposed[0]} is not encrypted, and others are: encrypt all of them, or none"
        raise invalid_config(key, value, remedy)
    return addresses


def _address(key: str, value: Any, url: str) -> Address:
    try:
        return Address.parse(url)
    except ValueError as error:
        where = "" if url == value else f"{_shown(url)!r}: "
        remedy = f"{where}{error}; {URL_REMEDY}"
        shown = list(map(_shown, value)) if isinstance(value, list | tuple) else _shown(value)
        raise invalid_config(key, shown, remedy) from None


def _shown(urls: str) -> str:
    """Return *urls* as errors show them: they reach logs, and before an "@" is a password."""
    return re.sub(r"//.*@", "//***@", urls)


def _serializers(key: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return SERIALIZERS
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    is_list = isinstance(names, list | tuple) and len(names) > 0
    if not is_list or not all(name in SERIALIZERS for name in names):
        raise invalid_config(
            key, value, "give 'cbor', 'msgpack' or 'json', or several in the order of choice"
        )
    return tuple(dict.fromkeys(names))


def _realm(key: str, value: Any) -> str:
    if value is None:
        return "realm1"
    if not isinstance(value, str) or not re.fullmatch(r"[^\s#]+", value):
        raise invalid_config(key, value, "name a realm without spaces or '#', as in 'realm1'")
    return value


def _timeout(key: str, value: Any, default: float = 10.0) -> float:
    if value is None:
        return default
    try:
        return check_timeout(value)
    except ValueError as error:
        raise invalid_config(key, value, str(error)) from None


def _ping(key: str, value: Any) -> float:
    if value is None:
        return DEFAULT_PING
    if value == 0 and not isinstance(value, bool):
        return 0.0
    try:
        return check_timeout(value)
    except ValueError as error:
        raise invalid_config(key, value, f"{error}, or 0 to ask for no sign of life") from None


def _threads(key: str, value: Any) -> int:
    if value is None:
        return 8
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 1 <= value <= MAX_THREADS:
        raise invalid_config(key, value, f"give a whole number from 1 to {MAX_THREADS}, as in 8")
    return int(value)


def _uri_prefix(key: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or invalid_uri(value.removesuffix(".")):
        raise invalid_config(key, value, "give dotted words outside 'wamp.', as in 'com.example'")
    return value if value.endswith(".") else value + "."


def _token(key: str, value: Any) -> Secret | None:
    secret = hidden(value)
    if secret is None:
        return None
    if not isinstance(secret, Secret) or not re.fullmatch(r"[!-~]{16,}", secret.reveal()):
        remedy = (
            "give 16 characters or more, letters and digits, as `python -c 'import secrets; "
            "print(secrets.token_urlsafe())'` prints them"
        )
        raise invalid_config(key, secret, remedy)
    return secret


def _topics(key: str, value: Any) -> frozenset[str]:
    if value is None:
        return frozenset()
    topics = value.split(",") if isinstance(value, str) else value
    is_list = isinstance(topics, list | tuple)
    if not is_list or any(not isinstance(each, str) or invalid_uri(each) for each in topics):
        raise invalid_config(key, value, "give a list of topics, as in ['com.example.ordered']")
    return frozenset(topics)


def _flag(key: str, value: Any) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid_config(
            key, value, f"give True or False; in the environment, FLASK_{key}=true"
        )
    return value
