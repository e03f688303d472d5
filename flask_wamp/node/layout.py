"""A node configuration, looked at by those who find mistakes in it.

Nothing here trusts the configuration: what has the wrong type is left out, and Crossbar.io's own
check names it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..declare.allow import VISITOR
from .probe import Probe

#: The role of those who log in.
USER = "user"
#: The procedure by which a ``WebSession`` says who logs in.
AUTHENTICATOR = "flask_wamp.login.authenticate"


@dataclass(frozen=True)
class Place:
    """A part of a configuration, and where it stands there.

    :ivar where: as in ``workers[0].transports[1]``.
    """

    where: str
    value: Mapping[str, Any]

    def get(self, key: str) -> Any:
        """Return what stands under *key*, or None."""
        return self.value.get(key)

    def text(self, key: str) -> str:
        """Return the text under *key*, or an empty one."""
        found = self.value.get(key)
        return found if isinstance(found, str) else ""

    def part(self, key: str) -> "Place":
        """Return the mapping under *key*, an empty one where there is none."""
        found = self.value.get(key)
        return Place(f"{self.where}.{key}", found if isinstance(found, Mapping) else {})

    def parts(self, key: str) -> list["Place"]:
        """Return the mappings of the list under *key*."""
        found = self.value.get(key)
        return [
            Place(f"{self.where}.{key}[{number}]".removeprefix("."), each)
            for number, each in enumerate(found if isinstance(found, list) else ())
            if isinstance(each, Mapping)
        ]

    def texts(self, key: str) -> list[str]:
        """Return the texts of the list under *key*."""
        found = self.value.get(key)
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


@dataclass(frozen=True)
class Service:
    """A path of a web transport, or a transport that has none: where peers come in.

    :ivar key: the path, from the root; empty for a transport that has none.
    :ivar name: its key in the configuration.
    """

    place: Place
    transport: Place
    key: str = ""
    name: str = ""

    @property
    def type(self) -> str:
        """Its type, as in ``websocket``."""
        return self.place.text("type")

    @property
    def is_remote(self) -> bool:
        """Whether other machines, or other users of this one, can reach it."""
        return self.transport.part("endpoint").text("type") != "unix"

    def roles(self) -> list[str]:
        """Return the roles of those who come in without a proof of who they are."""
        auth = self.place.get("auth")
        if not isinstance(auth, Mapping):
            return [VISITOR]
        anonymous = auth.get("anonymous")
        if not isinstance(anonymous, Mapping):
            return []
        if anonymous.get("authenticator") == AUTHENTICATOR:
            return [VISITOR]
        if anonymous.get("type", "static") != "static":
            return []
        return [str(anonymous.get("role", VISITOR))]


@dataclass(frozen=True)
class Layout:
    """A node: its configuration, its directory, and the applications that it names.

    :ivar directory: the node's, ``.crossbar``.
    :ivar probes: what importing showed, by ``module:object`` or class.
    """

    config: Mapping[str, Any]
    directory: Path
    probes: Mapping[str, Probe] = field(default_factory=dict)

    @property
    def root(self) -> Place:
        """The whole of it."""
        return Place("", self.config)

    def workers(self, *types: str) -> list[Place]:
        """Return the workers of these types, or all."""
        return [
            worker
            for worker in self.root.parts("workers")
            if not types or worker.text("type") in types
        ]

    def transports(self) -> Iterator[tuple[Place, Place]]:
        """Yield worker and transport of each that listens."""
        for worker in self.workers():
            for transport in worker.parts("transports"):
                yield worker, transport

    def services(self) -> Iterator[Service]:
        """Yield the paths of web transports, and the transports that have none."""
        for _worker, transport in self.transports():
            yield from _services(transport)

    def roles(self) -> dict[str, Place]:
        """Return the roles of all realms by name."""
        return {
            role.text("name"): role
            for worker in self.workers("router")
            for realm in worker.parts("realms")
            for role in realm.parts("roles")
        }

    def stranger_roles(self) -> dict[str, Place]:
        """Return the roles that anybody gets who can reach a port."""
        known = self.roles()
        names = {
            name
            for service in self.services()
            if service.is_remote and service.type in ("websocket", "rawsocket", "longpoll")
            for name in service.roles()
        }
        return {name: known[name] for name in sorted(names) if name in known}

    def components(self, *types: str) -> Iterator[tuple[Place, Place]]:
        """Yield worker and component of each, in workers of these types."""
        for worker in self.workers(*types):
            for component in worker.parts("components"):
                yield worker, component

    def hosted(self) -> list[tuple[Place, str]]:
        """Return the WSGI applications, ``module:object`` each."""
        return [
            (service.place, f"{service.place.text('module')}:{service.place.text('object')}")
            for service in self.services()
            if service.type == "wsgi"
        ]

    def application_of(self, component: Place) -> str:
        """Return the application that a component is bound to, or an empty text."""
        named = component.part("extra").text("application")
        if named:
            return named
        probe = self.probes.get(component.text("classname"))
        return probe.application if probe is not None else ""

    def governs(self) -> bool:
        """Tell whether an application in the router says what roles without permissions may do."""
        return any(
            self.application_of(component) for _worker, component in self.components("router")
        )

    def python_path(self) -> list[str]:
        """Return the directories that the workers import from, before those of this process."""
        paths = [
            str((self.directory / path).resolve())
            for worker in self.workers()
            for path in (
                *worker.part("options").texts("pythonpath"),
                *_guest_path(worker).split(os.pathsep),
            )
            if path
        ]
        return list(dict.fromkeys(paths))

    def variables(self) -> dict[str, str]:
        """Return the environment variables that the routers set, where the application is hosted."""
        return {
            str(name): value
            for worker in self.workers("router")
            for name, value in worker.part("options").part("env").part("vars").value.items()
            if isinstance(value, str)
        }


def _guest_path(worker: Place) -> str:
    return worker.part("options").part("env").part("vars").text("PYTHONPATH")


def _services(transport: Place) -> Iterator[Service]:
    paths = transport.part("paths")
    if transport.text("type") not in ("web", "universal"):
        yield Service(transport, transport)
        return
    yield from _paths(paths, transport)
    websockets = transport.part("websocket")
    for key in websockets.value:
        yield Service(websockets.part(str(key)), transport, str(key), str(key))
    if isinstance(transport.get("rawsocket"), Mapping):
        part = transport.part("rawsocket")
        yield Service(Place(part.where, {"type": "rawsocket", **part.value}), transport)
    if isinstance(transport.get("web"), Mapping):
        yield from _paths(transport.part("web").part("paths"), transport)


def _paths(paths: Place, transport: Place, above: str = "") -> Iterator[Service]:
    for key, value in paths.value.items():
        if not isinstance(value, Mapping):
            continue
        place = Place(f"{paths.where}.{key}", value)
        yield Service(place, transport, f"{above}{key}", str(key))
        if place.text("type") == "path":
            yield from _paths(place.part("paths"), transport, f"{above}{key}/")


def guest_application(worker: Place) -> str:
    """Return the application of a guest that runs ``flask --app``, or an empty text."""
    arguments: Sequence[str] = worker.texts("arguments")
    for flag in ("--app", "-A"):
        if flag in arguments[:-1]:
            return arguments[arguments.index(flag) + 1]
    return ""
