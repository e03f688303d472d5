"""What a supervisor and its children are told, checked where it is read; needs no Twisted."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ...address import URL_REMEDY, Address
from ...errors import ConfigError

#: Processes of one supervisor at most.
MOST_PROCESSES = 64
#: Seconds that a time may be at most: a day.
LONGEST = 86_400.0
#: Seconds between two heartbeats of a child.
BEAT = 0.25


@dataclass(frozen=True)
class ChildSettings:
    """What a serving process is told, as the JSON of its only argument.

    :ivar application: where the Flask application is, ``module:object``.
    :ivar url: the router; None is the application's ``WAMP_URL``.
    :ivar realm: None is the application's ``WAMP_REALM``.
    :ivar slot: the process's number among its supervisor's, from 0.
    :ivar generation: how many processes the slot has had before, and one.
    :ivar shared: other processes serve the same: registrations are shared, one process subscribes.
    :ivar login: log in with the application's credentials, and not as whoever opens the socket.
    :ivar force: take the registrations over that another process has exclusively: the one that this
        one replaces.
    :ivar grace: seconds for the calls that run at a SIGTERM.
    :ivar threads: of the pool, None is the application's ``WAMP_THREADS``.
    :ivar factories: call the object where it is a factory.
    :ivar as_flask: *application* is what ``flask --app`` takes, and empty where Flask is to look
        for one in the working directory.
    :ivar by: who serves, for the message of a declaration that comes too late.
    :ivar log_level: the level of loggers that have none of their own, a number of ``logging``.
    """

    application: str
    url: str | None = None
    realm: str | None = None
    slot: int = 0
    generation: int = 1
    shared: bool = False
    login: bool = False
    force: bool = False
    grace: float = 10.0
    threads: int | None = None
    factories: bool = True
    as_flask: bool = False
    by: str = "a serving process"
    log_level: int = logging.WARNING

    def to_json(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` has written.

        :raises ConfigError: it is something else.
        """
        try:
            given = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"the settings of a serving process are no JSON: {error}") from None
        if not isinstance(given, dict) or not isinstance(given.get("application"), str):
            raise ConfigError("the settings of a serving process name no application")
        types = {field.name: field.type for field in fields(cls)}
        for key, value in given.items():
            if key not in types or not _FITS[types[key]](value):
                raise ConfigError(f"the settings of a serving process have {key}: {value!r}")
        return cls(**given)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


_FITS: Mapping[Any, Callable[[Any], bool]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: type(value) is int and value >= 0,
    float: lambda value: _is_number(value) and value >= 0,
    int | None: lambda value: value is None or (type(value) is int and value > 0),
    str | None: lambda value: value is None or isinstance(value, str),
}


@dataclass(frozen=True)
class Settings:
    """How an application is served: the ``extra`` of a component, or options of a command.

    :ivar processes: how many serve it; 0 is the process that reads this, without a supervisor.
    :ivar url: the router for the processes; None is the Unix socket of the component.
    :ivar view_limit: seconds that a view may run until its process is ended; None is no limit.
    :ivar unresponsive: seconds without a heartbeat until a process is ended.
    :ivar max_calls: calls after which a process is replaced, give or take a tenth; 0 is never.
    :ivar grace: seconds that running calls get at a stop.
    :ivar start_limit: seconds that a process has to become ready.
    :ivar watchdog: seconds that the reactor of a process without a supervisor may stand still; 0 is
        any time.
    :ivar preload: new processes are made of one that has imported the application.
    """

    processes: int = 0
    url: str | None = None
    view_limit: float | None = None
    unresponsive: float = 1.0
    max_calls: int = 0
    grace: float = 10.0
    start_limit: float = 30.0
    watchdog: float = 10.0
    preload: bool = False

    @classmethod
    def from_extra(cls, extra: Mapping[str, Any]) -> Self:
        """Read the keys of *extra* that are settings; others are somebody else's.

        :raises ConfigError: a value cannot be; one line with the remedy.
        """
        wrong = wrong_in(extra)
        if wrong:
            raise ConfigError("; ".join(f'"extra": {{"{key}": ...}} {text}' for key, text in wrong))
        names = [field.name for field in fields(cls)]
        return cls(**{name: extra[name] for name in names if extra.get(name) is not None})


def wrong_in(extra: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings in *extra* that cannot be: key, and what is wrong with the remedy."""
    return [
        (key, f"is {extra[key]!r}: {remedy}")
        for key, (fits, remedy) in _SETTINGS.items()
        if extra.get(key) is not None and not fits(extra[key])
    ]


def _whole(most: float) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 0 <= value <= most


def _is_url(value: Any) -> bool:
    try:
        # Several, with commas, are tried in order.
        return isinstance(value, str) and all(map(Address.parse, value.split(",")))
    except ValueError:
        return False


def _seconds(least: float) -> Callable[[Any], bool]:
    return lambda value: _is_number(value) and least <= value <= LONGEST


_SETTINGS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "processes": (
        _whole(MOST_PROCESSES),
        f"give a number of processes, 0 to {MOST_PROCESSES}, as in 2",
    ),
    "url": (_is_url, f'give a router, as in "unix:router.sock": {URL_REMEDY}'),
    "view_limit": (_seconds(0.1), "give seconds, 0.1 or more, as in 30, or leave it out"),
    "unresponsive": (_seconds(2 * BEAT), f"give seconds, {2 * BEAT:g} or more, as in 1.0"),
    "max_calls": (_whole(1e12), "give a number of calls, as in 10000, or 0 for never"),
    "grace": (_seconds(0), "give seconds, as in 10"),
    "start_limit": (_seconds(1), "give seconds, 1 or more, as in 30"),
    "watchdog": (_seconds(0), "give seconds, as in 10, or 0 for none"),
    # The router's component alone reads this one.
    "end_unserved_after": (_seconds(0.1), "give seconds, as in 30, or leave it out"),
    "preload": (lambda value: isinstance(value, bool), "give true or false"),
}
#: The settings, and those of them that say something of a supervisor's processes alone.
NAMES = frozenset(_SETTINGS)
SUPERVISED = frozenset({"view_limit", "unresponsive", "max_calls", "start_limit", "preload"})
