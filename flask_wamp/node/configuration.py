"""Node configurations: files, moved to another port or read from another directory."""

import copy
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .command import NodeError

DEFAULT_CONFIG = Path(".crossbar/config.json")
#: The bytes of a Unix socket's path on Linux, without the NUL at its end.
SOCKET_PATH = 107
#: The class that sends browsers from HTTP to HTTPS.
TO_HTTPS = "flask_wamp.crossbar.ToHttps"


def free_port() -> int:
    """Return a TCP port that nothing on 127.0.0.1 listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def on_port(config: Mapping[str, Any], port: int) -> dict[str, Any]:
    """Return a node configuration whose web transport listens on *port*.

    The WebSocket origins, and what leads to it from other ports, name the new port where they named
    the old one.

    :raises ValueError: the configuration has not exactly one transport on a TCP port, but for those
        that lead to it; or one of these has *port*.
    """
    moved: dict[str, Any] = copy.deepcopy(dict(config))
    transports = list(tcp_transports(moved))
    leading = [transport for transport in transports if leads_elsewhere(transport)]
    own = [transport for transport in transports if transport not in leading]
    if len(own) != 1:
        raise ValueError(f"the configuration has {len(own)} TCP transports, not one")
    if port in [transport["endpoint"]["port"] for transport in leading]:
        raise ValueError(f"another of its transports has the port {port}")
    endpoint = own[0]["endpoint"]
    old = endpoint["port"]
    endpoint["port"] = port
    for path in own[0].get("paths", {}).values():
        origins = path.get("options", {}).get("allowed_origins")
        if origins:
            path["options"]["allowed_origins"] = [
                f"{origin.removesuffix(f':{old}')}:{port}" if origin.endswith(f":{old}") else origin
                for origin in origins
            ]
    for transport in leading:
        for path in transport["paths"].values():
            if path["extra"].get("port") == old:
                path["extra"]["port"] = port
    return moved


def leads_elsewhere(transport: Mapping[str, Any]) -> bool:
    """Tell whether all that a transport does is to send browsers to another, by HTTPS."""
    paths = transport.get("paths") or {}
    return bool(paths) and all(path.get("classname") == TO_HTTPS for path in paths.values())


def tcp_transports(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the transports of a configuration that listen on TCP ports."""
    for worker in config["workers"]:
        for transport in worker.get("transports", ()):
            if transport.get("endpoint", {}).get("type") == "tcp":
                yield transport


def from_elsewhere(config: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Return a configuration whose relative Python paths are those of *directory*."""
    moved: dict[str, Any] = copy.deepcopy(dict(config))
    for worker in moved["workers"]:
        options = worker.get("options", {})
        if "pythonpath" in options:
            options["pythonpath"] = [str((directory / p).resolve()) for p in options["pythonpath"]]
        variables = options.get("env", {}).get("vars", {})
        if "PYTHONPATH" in variables:
            variables["PYTHONPATH"] = str((directory / variables["PYTHONPATH"]).resolve())
    return moved


def directory_of(path: Path) -> Path:
    """Return the node's directory for the configuration at *path*.

    It is ``.crossbar``, the one that the file stands in or that of the current directory.
    """
    return path.parent if path.parent.name == DEFAULT_CONFIG.parent.name else DEFAULT_CONFIG.parent


def prepared_config(path: Path, port: int | None, *, free: bool = True) -> Path:
    """Return the configuration file at *path*, or a copy of it that listens on *port*.

    :param free: refuse ports that something listens on.
    :raises NodeError: there is no such file, it is no configuration, or *port* is not a port.
    """
    if not path.exists():
        raise NodeError(
            f"there is no {path} here: run this in the directory that has it, name a "
            "configuration with --config FILE, or write one with flask wamp init"
        )
    if port is not None and not 0 < port < 65536:
        raise NodeError(f"{port} is not a port: give a number from 1 to 65535")
    try:
        config = json.loads(path.read_text())
        moved = config if port is None else on_port(config, port)
        endpoints = [transport["endpoint"] for transport in tcp_transports(moved)]
        taken = next(taken_ports(endpoints), None) if free else None
        long = next(long_socket_paths(moved, directory_of(path)), None)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # What is no JSON, and what is JSON and no configuration; Crossbar.io checks the rest.
        raise NodeError(f"{path} is no node configuration: {error}") from None
    if taken is not None:
        raise NodeError(
            f"port {taken[0]} cannot be had ({taken[1]}): choose another with --port 9000 (make "
            "run PORT=9000)"
        )
    if long is not None:
        raise NodeError(
            f"the path of a Unix socket has {SOCKET_PATH} bytes at most, and {long} has "
            f"{len(os.fsencode(long))}: move the project to a shorter path, or name a path for the "
            "socket, such as /run/shop.sock"
        )
    if moved == config:
        return path
    copy_ = directory_of(path) / f"port-{port}.json"
    copy_.parent.mkdir(exist_ok=True)
    copy_.write_text(json.dumps(moved, indent=4))
    return copy_


def long_socket_paths(config: Mapping[str, Any], directory: Path) -> Iterator[Path]:
    """Yield the Unix sockets of a configuration that the system has no room for."""
    for worker in config["workers"]:
        for transport in worker.get("transports", ()):
            endpoint = transport.get("endpoint", {})
            path = directory.resolve() / endpoint.get("path", "")
            if endpoint.get("type") == "unix" and len(os.fsencode(path)) > SOCKET_PATH:
                yield path


def taken_ports(endpoints: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Yield the ports of TCP endpoints that cannot be had, each with the reason."""
    for endpoint in endpoints:
        port, interface = endpoint["port"], endpoint.get("interface", "")
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((interface, port))
            except OSError as error:
                yield port, str(error.strerror)


def refuse_unusable(directory: Path) -> None:
    """Refuse a node's directory that cannot be written to, or that a node runs in already.

    :raises NodeError: with the remedy.
    """
    if not os.access(directory, os.W_OK | os.X_OK):
        raise NodeError(
            f"{directory.resolve()} cannot be written to, where the node keeps its key and its "
            "socket: start it as the owner of that directory, or chown it"
        )
    pid = running_node(directory)
    if pid is not None:
        raise NodeError(
            f"a node runs in {directory.resolve()} already, as process {pid}: end it first, with "
            f"Ctrl-C where it was started, or kill -INT {pid}"
        )


def running_node(directory: Path) -> int | None:
    """Return the process id of the node that runs in a directory, or None.

    Crossbar.io leaves it in ``node.pid``, where a node that was killed leaves it as well.
    """
    try:
        pid = int(json.loads((directory / "node.pid").read_text())["pid"])
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if pid == os.getpid():
        # In a container processes have the same numbers after each start, and this one was killed.
        return None
    return pid if b"crossbar" in command or b"wamp" in command else None
