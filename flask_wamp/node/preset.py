"""Node configurations for any Flask application, made from this project's own.

The project's node, ``crossbar_config/``, is the template: what it names, application, realm, port
and rights, is put in place of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from .configuration import on_port

#: What is kept of the project's workers; the others are services of its own.
ROUTER, VIEWS = "router", "views"
#: The longest line of a written configuration that is not one value.
LINE = 120
INDENT = 4


@dataclass(frozen=True)
class Target:
    """What a node is for.

    :ivar module: where the application is.
    :ivar object: its name there.
    :ivar permissions: of the role ``anonymous``, so of browsers.
    :ivar pythonpath: from where the module is imported, relative to the node's directory.
    """

    module: str
    object: str
    permissions: Sequence[dict[str, Any]] = field(default_factory=list)
    pythonpath: str = ".."
    port: int = 8080
    realm: str = "realm1"

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
        _put_into_component(views["components"][0], "ViewsSession", target)
    return config


def _put_into_router(router: dict[str, Any], target: Target) -> None:
    router["options"]["pythonpath"] = [target.pythonpath]
    (realm,) = router["realms"]
    realm["name"] = target.realm
    anonymous = next(role for role in realm["roles"] if role["name"] == "anonymous")
    anonymous["permissions"] = list(target.permissions)
    _put_into_component(router["components"][0], "WebSession", target)
    for path in router["transports"][0]["paths"].values():
        if path["type"] == "wsgi":
            path.update(module=target.module, object=target.object)
        for method in path.get("auth", {}).values():
            if "authenticator-realm" in method:
                method["authenticator-realm"] = target.realm


def _put_into_component(component: dict[str, Any], session: str, target: Target) -> None:
    component["classname"] = f"flask_wamp.crossbar.{session}"
    component["realm"] = target.realm
    component["extra"] = {"application": target.application}


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
