"""Who may do what: the table of an application's declarations. Standard library only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..uris import MAX_LENGTH
from .allow import EVERYONE, SERVICES_ALONE, Allow, Decision
from .declared import Grant, Procedure
from .patterns import Patterns
from .place import Place
from .registry import Registry

#: The actions that a role has a right to, or not.
ACTIONS: Final = ("call", "register", "publish", "subscribe")

#: What the protocol and this package keep to themselves.
RESERVED: Final = ("wamp.", "flask_wamp.")
#: But a caller that falls behind lets its stream pause, and a payload that cannot travel is answered.
OPEN: Final = ("flask_wamp.flow.pause", "flask_wamp.flow.resume", "flask_wamp.unfit_payload")

_OURS: Final = Place("flask_wamp")


@dataclass(frozen=True, slots=True)
class Right:
    """A line of the table.

    :ivar kind: ``procedure`` or ``topic``.
    :ivar may: who may, by action; those that are not there are for services alone.
    :ivar retain: those who may publish may let the router keep the event.
    :ivar place: where it is written.
    """

    kind: str
    uri: str
    match: str
    may: dict[str, Allow]
    retain: bool
    place: Place

    def allow(self, action: str) -> Allow:
        """Return who may do *action*."""
        return self.may.get(action, SERVICES_ALONE)


class Rights:
    """What roles may do that the application governs; services may do everything.

    :param rights: one line for each URI or pattern, and kind.
    """

    def __init__(self, rights: Iterable[Right]) -> None:
        self.rights = list(rights)
        self._tables: dict[str, Patterns[Right]] = {}
        for kind in ("procedure", "topic"):
            table = self._tables[kind] = Patterns[Right]()
            for uri in RESERVED:
                table.add(uri, "prefix", Right(kind, uri, "prefix", {}, retain=False, place=_OURS))
            for right in self.rights:
                if right.kind == kind:
                    table.add(right.uri, right.match, right)
        everyone = {"call": Allow(frozenset([EVERYONE]))}
        for uri in OPEN:
            right = Right("procedure", uri, "exact", everyone, retain=False, place=_OURS)
            self._tables["procedure"].add(uri, "exact", right)

    @classmethod
    def declared(cls, registry: Registry, prefix: str) -> "Rights":
        """Return the rights that are declared in *registry*.

        :param prefix: of the application's URIs.
        """
        grants = {(each.kind, each.uri, each.match): _of_grant(each) for each in registry.grants}
        procedures = []
        for procedure in registry.procedures:
            right = _of_procedure(procedure, prefix)
            said = grants.pop((right.kind, right.uri, right.match), None)
            procedures.append(
                right if said is None or procedure.options.allow is not None else said
            )
        return cls([*procedures, *grants.values()])

    def roles(self) -> set[str]:
        """Return the roles that rights name."""
        return {
            role for right in self.rights for allow in right.may.values() for role in allow.named()
        }

    def right(self, action: str, uri: str) -> Right | None:
        """Return the line that decides about *uri*; None where there is none, or no single one."""
        found = self._tables[_kind(action)].deciding(uri)
        return found[0] if len(found) == 1 else None

    def decide(
        self, role: str, action: str, uri: str, match: str = "exact", *, retain: bool = False
    ) -> Decision:
        """Tell whether *role* may do *action*, or return the function that has to be asked.

        :param match: of a subscription. One by a pattern is allowed if by its role every topic may
            be subscribed to that the pattern matches.
        :param retain: of a publish: the router is to keep the event.
        """
        if action not in ("call", "publish", "subscribe") or len(uri) > MAX_LENGTH:
            return False
        table = self._tables[_kind(action)]
        if match != "exact":
            return action == "subscribe" and table.all_matching(
                uri, match, lambda right: right.allow(action).decide(role) is True
            )
        found = table.deciding(uri)
        if not found or (retain and not all(right.retain for right in found)):
            return False
        return _agreed(right.allow(action).decide(role) for right in found)


class DeclaredRights:
    """The rights of an application, as they are declared by now.

    :param prefix: of the application's URIs.
    """

    def __init__(self, registry: Registry, prefix: str) -> None:
        self._registry = registry
        self._prefix = prefix
        self._seen: tuple[object, object] | None = None
        self._rights = Rights([])

    def __call__(self) -> Rights:
        """Return the table, made anew where something was declared meanwhile."""
        # The registry makes a new list for each change.
        procedures, grants = self._registry.procedures, self._registry.grants
        seen = self._seen
        if seen is None or seen[0] is not procedures or seen[1] is not grants:
            self._rights = Rights.declared(self._registry, self._prefix)
            self._seen = procedures, grants
        return self._rights


#: Returns the table as it is by now.
CurrentRights = Callable[[], Rights]


def remedy(rights: Rights, role: str, action: str, uri: str, match: str, *, retain: bool) -> str:
    """Return what to write, and where, so that *role* may do *action*."""
    if action == "register":
        return "services register, over the node's own socket"
    if uri.startswith(RESERVED):
        return "it belongs to the router, and is for services"
    if match != "exact":
        return (
            "every topic that the pattern matches has to be open: "
            f"{SERVICES_ALONE.spelled_with(role, 'subscribe')} in "
            "wamp.topic(..., match=...), and in each that is more specific"
        )
    right = rights.right(action, uri)
    if right is None and action == "call":
        allow = SERVICES_ALONE.spelled_with(role, "allow")
        return f'{allow} in @wamp.callee, or wamp.procedure("{uri}", {allow})'
    if right is None:
        return f'wamp.topic("{uri}", {SERVICES_ALONE.spelled_with(role, action)}) would allow it'
    if right.allow(action).function is not None:
        return f"{right.allow(action)} decides about it; declared at {right.place}"
    option = "allow" if action == "call" else action
    if retain and not right.retain and right.allow(action).decide(role) is True:
        return f"retain=True would allow it, at {right.place}"
    return f"{right.allow(action).spelled_with(role, option)} would allow it, at {right.place}"


def _kind(action: str) -> str:
    return "procedure" if action == "call" else "topic"


def _agreed(decisions: Iterable[Decision]) -> Decision:
    """Return what several patterns say of a URI that none is more specific for."""
    different = list(dict.fromkeys(decisions))
    return different[0] if len(different) == 1 else False


def _of_procedure(procedure: Procedure, prefix: str) -> Right:
    uri, match = procedure.key(prefix)
    may = {"call": Allow.of(procedure.options.allow)}
    return Right("procedure", uri, match, may, retain=False, place=Place.of(procedure.function))


def _of_grant(grant: Grant) -> Right:
    may = (
        {"call": grant.call}
        if grant.kind == "procedure"
        else {"publish": grant.publish, "subscribe": grant.subscribe}
    )
    return Right(grant.kind, grant.uri, grant.match, may, grant.retain, grant.place)
