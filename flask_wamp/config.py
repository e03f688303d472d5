"""The ``WAMP_*`` keys of a Flask configuration, checked once, in ``init_app``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigError
from .uris import invalid_uri

DEFAULT_URL = "ws://localhost:8080/ws"
DEFAULT_PORTS = {"ws": 80, "wss": 443}
MAX_THREADS = 1000
#: The longest timeout, in seconds.
MAX_TIMEOUT = 86_400

_URL_REMEDY = (
    "use ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, rs://HOST:PORT, rss://HOST:PORT "
    "or unix:/path/to/router.sock"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a router listens, taken apart.

    :ivar websocket: WebSocket, else RawSocket.
    :ivar path: the Unix socket's path, None for TCP.
    """

    url: str
    websocket: bool
    tls: bool = False
    host: str = ""
    port: int = 0
    path: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return the address that *url* names.

        :raises ValueError: the URL has an unknown scheme, no host, or no port where one is needed.
        """
        parts = urlsplit(url)
        if parts.scheme == "unix":
            path = parts.netloc + parts.path
            if not path:
                raise ValueError("no path")
            return cls(url, websocket=False, path=path)
        if parts.scheme not in ("ws", "wss", "rs", "rss"):
            raise ValueError("unknown scheme")
        try:
            port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            # Its text quotes what may be part of a password.
            raise ValueError("the port is not a number from 1 to 65535") from None
        if not parts.hostname or not port:
            raise ValueError("no host or no port")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("user names, passwords and fragments have no place here")
        return cls(
            url,
            websocket=parts.scheme.startswith("ws"),
            tls=parts.scheme.endswith("ss"),
            host=parts.hostname,
            port=port,
        )


@dataclass(frozen=True, slots=True)
class WampConfig:
    """An application's WAMP configuration.

    :ivar address: where the router listens (``WAMP_URL``, ``CROSSBAR_URL``, ``ROUTER_URL``).
    :ivar realm: the realm to join (``WAMP_REALM``, ``REALM``).
    :ivar timeout: seconds that a call or an acknowledged publish may take (``WAMP_TIMEOUT``).
    :ivar threads: threads that run views at a time (``WAMP_THREADS``).
    :ivar uri_prefix: stands before default URIs; empty or ending in a dot (``WAMP_URI_PREFIX``).
    :ivar serve: a process that answers HTTP serves procedures and subscriptions (``WAMP_SERVE``).
    """

    address: Address
    realm: str
    timeout: float
    threads: int
    uri_prefix: str
    serve: bool = False

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
        return cls(
            address=_address(*_first(config, ("WAMP_URL", "CROSSBAR_URL", "ROUTER_URL"))),
            realm=_realm(*_first(config, ("WAMP_REALM", "REALM"))),
            timeout=_timeout("WAMP_TIMEOUT", config.get("WAMP_TIMEOUT")),
            threads=_threads("WAMP_THREADS", config.get("WAMP_THREADS")),
            uri_prefix=_uri_prefix("WAMP_URI_PREFIX", config.get("WAMP_URI_PREFIX")),
            serve=_flag("WAMP_SERVE", config.get("WAMP_SERVE")),
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


def _refuse(key: str, value: Any, remedy: str) -> ConfigError:
    return ConfigError(f"{key} = {value!r} is invalid: {remedy}.")


def _address(key: str, value: Any) -> Address:
    if value is None:
        value = DEFAULT_URL
    if not isinstance(value, str):
        raise _refuse(key, value, _URL_REMEDY)
    try:
        return Address.parse(value)
    except ValueError as error:
        # What stands before an "@" may be a password, and configuration errors reach logs.
        shown = re.sub(r"//.*@", "//***@", value)
        raise _refuse(key, shown, f"{error}; {_URL_REMEDY}") from None


def _realm(key: str, value: Any) -> str:
    if value is None:
        return "realm1"
    if not isinstance(value, str) or not re.fullmatch(r"[^\s#]+", value):
        raise _refuse(key, value, "name a realm without spaces or '#', as in 'realm1'")
    return value


def _timeout(key: str, value: Any) -> float:
    if value is None:
        return 10.0
    try:
        return check_timeout(value)
    except ValueError as error:
        raise _refuse(key, value, str(error)) from None


def _threads(key: str, value: Any) -> int:
    if value is None:
        return 8
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 1 <= value <= MAX_THREADS:
        raise _refuse(key, value, f"give a whole number from 1 to {MAX_THREADS}, as in 8")
    return int(value)


def _uri_prefix(key: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or invalid_uri(value.removesuffix(".")):
        raise _refuse(key, value, "give dotted words outside 'wamp.', as in 'com.example'")
    return value if value.endswith(".") else value + "."


def _flag(key: str, value: Any) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _refuse(key, value, f"give True or False; in the environment, FLASK_{key}=true")
    return value
