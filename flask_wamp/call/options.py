"""The options of calls and publishes, checked where they are written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from ..config import check_timeout
from ..errors import OptionError

CANCEL_MODES = ("killnowait", "kill", "skip")


@dataclass(frozen=True, slots=True)
class Options:
    """What ``g.wampy.with_options`` was given; None is the default of each.

    :ivar timeout: seconds that a call, or an acknowledged publish, may take; for a stream, until
        its next result.
    :ivar cancel_mode: how a call is canceled at the router (WAMP spec, 10.2.3).
    :ivar disclose_me: ask the router to tell who calls or publishes.
    :ivar acknowledge: wait until the router has accepted an event.
    :ivar exclude_me: do not send an event to this process's own session.
    :ivar exclude: session ids that do not get an event; ``exclude_authid`` and
        ``exclude_authrole`` likewise.
    :ivar eligible: session ids that alone get an event; ``eligible_authid`` and
        ``eligible_authrole`` likewise.
    :ivar retain: keep the event for subscribers that come later.
    """

    timeout: float | None = None
    cancel_mode: str | None = None
    disclose_me: bool | None = None
    acknowledge: bool | None = None
    exclude_me: bool | None = None
    exclude: tuple[int, ...] | None = None
    exclude_authid: tuple[str, ...] | None = None
    exclude_authrole: tuple[str, ...] | None = None
    eligible: tuple[int, ...] | None = None
    eligible_authid: tuple[str, ...] | None = None
    eligible_authrole: tuple[str, ...] | None = None
    retain: bool | None = None

    def updated(self, given: Mapping[str, Any]) -> Self:
        """Return these options with those *given* in place of them.

        :raises OptionError: one is unknown, or has a value that it cannot have.
        """
        checked: dict[str, Any] = {}
        for name, value in given.items():
            check = _CHECKS.get(name)
            if check is None:
                raise OptionError(
                    f"with_options({name}=...): there is no such option; there are "
                    f"{', '.join(sorted(_CHECKS))}"
                )
            checked[name] = None if value is None else check(name, value)
        updated = replace(self, **checked)
        _refuse_combination(updated)
        return updated

    def refuse_others(self, method: str, allowed: frozenset[str]) -> None:
        """Refuse options that mean nothing to *method*.

        :raises OptionError: one of them was given.
        """
        for name in _CHECKS.keys() - allowed:
            if getattr(self, name) is not None:
                others = ", ".join(sorted(allowed))
                raise OptionError(
                    f"with_options({name}=...).{method}(): {name} is no option of {method}, which "
                    f"takes {others}"
                )


@dataclass(frozen=True, slots=True)
class DurableOptions(Options):
    """What a durable event is published with.

    :ivar event_id: what its consumers know it by, however often it comes.
    """

    event_id: str | None = None


def event_id_of(options: Options) -> str | None:
    """Return the id of a durable event; None for other events."""
    return options.event_id if isinstance(options, DurableOptions) else None


def _refuse_combination(options: Options) -> None:
    receivers = [name for name in RECEIVERS if getattr(options, name)]
    if options.retain and receivers:
        raise OptionError(
            f"with_options(retain=True, {receivers[0]}=...): a retained event is for whoever "
            "subscribes later: publish it without a choice of receivers"
        )


def _timeout(name: str, value: Any) -> float:
    try:
        return check_timeout(value)
    except ValueError as error:
        raise OptionError(f"with_options({name}={value!r}): {error}") from None


def _cancel_mode(name: str, value: Any) -> str:
    if value not in CANCEL_MODES:
        raise _refusal(name, value, "one of " + ", ".join(map(repr, CANCEL_MODES)))
    return str(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refusal(name, value, "True or False")
    return value


def _session_ids(name: str, value: Any) -> tuple[int, ...]:
    remedy = "a list of session ids, as in [7, 8]"
    ids = _items(name, value, remedy)
    if not all(isinstance(item, int) and not isinstance(item, bool) for item in ids):
        raise _refusal(name, value, remedy)
    return ids


def _names(name: str, value: Any) -> tuple[str, ...]:
    remedy = "a list of names, as in ['alice', 'bob']"
    names = _items(name, value, remedy)
    if not all(isinstance(item, str) for item in names):
        raise _refusal(name, value, remedy)
    return names


def _items(name: str, value: Any, remedy: str) -> tuple[Any, ...]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise _refusal(name, value, remedy)
    items = tuple(value)
    if not items and name.startswith("eligible"):
        # Crossbar.io takes an empty list for "everybody".
        raise _refusal(name, value, f"{remedy}, with an entry at least: nobody would get the event")
    return items


def _refusal(name: str, value: Any, remedy: str) -> OptionError:
    return OptionError(f"with_options({name}={value!r}): give {remedy}")


#: The options that choose who gets an event.
RECEIVERS = (
    "exclude",
    "exclude_authid",
    "exclude_authrole",
    "eligible",
    "eligible_authid",
    "eligible_authrole",
)

_CHECKS: Mapping[str, Any] = {
    "timeout": _timeout,
    "cancel_mode": _cancel_mode,
    "disclose_me": _flag,
    "acknowledge": _flag,
    "exclude_me": _flag,
    "exclude": _session_ids,
    "exclude_authid": _names,
    "exclude_authrole": _names,
    "eligible": _session_ids,
    "eligible_authid": _names,
    "eligible_authrole": _names,
    "retain": _flag,
}

#: The options of ``call``, ``start_call`` and ``stream``.
OF_CALLS = frozenset({"timeout", "cancel_mode", "disclose_me"})
#: The options of ``publish`` and ``publish_on_success``.
OF_PUBLISHES = frozenset(_CHECKS) - {"cancel_mode"}
