"""Node configurations for any Flask application, made from this project's own.

The project's node, ``crossbar_config/``, is the template: what it names, application, realm and port,
is put in place of its own. Who may do what is no part of it: the application declares that.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from .configuration import leads_elsewhere, on_port

#: What is kept of the project's workers; the others are services of its own.
ROUTER, VIEWS = "router", "views"
#: What is listened on by those who have no port in their addresses.
HTTP_PORT, HTTPS_PORT = 80, 443
#: The longest line of a written configuration that is not one value.
LINE = 120
INDENT = 4


@dataclass(frozen=True)
class Target:
    """What a node is for.

    :ivar module: where the application is.
    :ivar object: its name there.
    :ivar pythonpath: from where the module is imported, relative to the node's directory.
    :ivar hosts: the names that the node answers under; none are those of the preset.
    """

    module: str
    object: str
    pythonpath: str = ".."
    port: int = 8080
    realm: str = "realm1"
    hosts: Sequence[str] = ()

    @property
    def application(self) -> str:
        """Where the application is, ``module:object``."""
        return f"{self.module}:{self.object}"


def presets() -> dict[str, Traversable]:
    """Return the files of the presets by name."""
    found = files("flask_wamp.node") / "presets"
    return {
        file.name.removesuffix(".json").removesuffix("_node"): file
        for file in sorted(found.iterdir(), key=lambda each: each.name)
        if file.name.endswith(".json")
    }


def port_of(preset: str) -> int:
    """Return the port that *preset* listens on."""
    config: dict[str, Any] = json.loads(presets()[preset].read_text())
    return int(config["workers"][0]["transports"][0]["endpoint"]["port"])


def is_secure(config: Mapping[str, Any]) -> bool:
    """Tell whether a node made from a preset has TLS."""
    return "tls" in config["workers"][0]["transports"][0]["endpoint"]


def configuration(preset: str, target: Target) -> dict[str, Any]:
    """Return the node configuration of *preset* for an application."""
    config: dict[str, Any] = on_port(json.loads(presets()[preset].read_text()), target.port)
    workers = {worker["id"]: worker for worker in config["workers"]}
    router, views = workers[ROUTER], workers[VIEWS]
    config["workers"] = [router, views]
    _put_into_router(router, target)
    if views["type"] == "guest":
        arguments = views["arguments"]
        arguments[arguments.index("--app") + 1] = target.application
        if target.realm != "realm1":
            arguments += ["--realm", target.realm]
        views["options"]["env"]["vars"]["PYTHONPATH"] = target.pythonpath
    else:
        views["options"]["pythonpath"] = [target.pythonpath]
        views["components"] = views["components"][:1]
        _put_into_component(views["components"][0], "ViewsSession", target)
    return config


def _put_into_router(router: dict[str, Any], target: Target) -> None:
    router["options"]["pythonpath"] = [target.pythonpath]
    (realm,) = router["realms"]
    realm["name"] = target.realm
    _put_into_component(router["components"][0], "WebSession", target)
    web, *others = router["transports"]
    for transport in others:
        if leads_elsewhere(transport) and target.port == HTTPS_PORT:
            transport["endpoint"]["port"] = HTTP_PORT
    for path in web["paths"].values():
        if path["type"] == "wsgi":
            path.update(module=target.module, object=target.object)
        elif target.hosts:
            path["options"]["allowed_origins"] = _origins(target, secure="tls" in web["endpoint"])
        for method in path.get("auth", {}).values():
            if "authenticator-realm" in method:
                method["authenticator-realm"] = target.realm
    if target.hosts:
        router["components"][0]["extra"]["hosts"] = list(target.hosts)


def _origins(target: Target, *, secure: bool) -> list[str]:
    """Return the origins of the pages that the node serves, at the port of the scheme as well."""
    pairs = (("https", 443), ("wss", 443)) if secure else (("http", 80), ("ws", 80))
    return [
        f"{scheme}://{host}:{port}"
        for host in target.hosts
        for scheme, usual in pairs
        for port in dict.fromkeys((target.port, usual))
    ]


def _put_into_component(component: dict[str, Any], session: str, target: Target) -> None:
    component["classname"] = f"flask_wamp.crossbar.{session}"
    component["realm"] = target.realm
    component["extra"] = {**component.get("extra", {}), "application": target.application}


def rendered(value: Any, column: int = 0, room: int = LINE) -> str:
    """Return JSON that is read by people: a value stands in one line where it fits.

    :param column: how far the value's line is indented.
    :param room: the characters that the line has left.
    """
    line = json.dumps(value)
    if not isinstance(value, dict | list) or not value or len(line) <= room:
        return line
    inner = column + INDENT
    names = [f"{json.dumps(name)}: " for name in value] if isinstance(value, dict) else None
    each = list(value.values() if isinstance(value, dict) else value)
    parts = [
        name + rendered(item, inner, LINE - inner - len(name) - 1)
        for name, item in zip(names or [""] * len(each), each, strict=True)
    ]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    pad = " " * inner
    body = ",\n".join(pad + part for part in parts)
    return f"{begin}\n{body}\n{' ' * column}{end}"
